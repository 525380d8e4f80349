"""A stream from ring to disk: every sample that came, ring after ring, and every failure said."""

import shutil

import pytest

from rigctl.blocks import BlockFlags
from rigctl.peers import tape as tape_module
from rigctl.recording.reader import Gap
from tests.workers.conftest import Deck, Feeds
from tests.workers.making import info, numbers
from tests.workers.reading import open_below, segments

INFO = info()


# --- all is well


def test_every_sample_is_on_disk_as_it_came(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, blocks=100)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples) == list(range(1000))
    assert (segments(stream), stream.gaps) == ([0], [])
    counts = deck.track.counts
    assert (counts.samples, counts.durable_samples, counts.bytes) == (1000, 1000, 16_000)
    assert (counts.gaps, counts.missing_samples, counts.overruns) == (0, 0, 0)
    assert counts.failure == ""
    deck.seal()


def test_finish_drains_what_is_more_than_one_batch(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO, 400_000)
    feed.send(10_000, blocks=40)  # 6.4 MB
    deck.record(feed)
    assert len(deck.stream().index) == 2  # two appends, however many blocks
    assert numbers(deck.stream().samples) == list(range(400_000))


def test_the_index_tells_number_and_time_of_what_was_appended(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.counter = 70
    feed.send(10, blocks=5)
    deck.record(feed)
    (entry,) = deck.stream().index
    assert (entry["counter"], entry["count"]) == (70, 50)
    assert entry["arrival_s"] == pytest.approx(feed.arrival_s)
    assert entry["flags"] == BlockFlags.START


def test_only_what_comes_from_now_on_is_recorded_at_start(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO, 100_000)
    feed.send(10, blocks=10)
    deck.track.attach(feed.name, from_start=False)
    deck.track.start()
    while not deck.reported.wait(0.001):  # whenever the track comes to it
        feed.send(10)
    feed.send(10, blocks=10)
    deck.finish()
    found = numbers(deck.stream().samples)
    assert found[0] >= 100
    assert found == list(range(found[0], feed.sent))


def test_the_first_samples_are_durable_without_a_flush(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    seen: list[int] = []
    deck.on_report = lambda: seen.append(deck.track.counts.durable_samples)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    assert seen == [10]
    deck.finish()


def test_a_flush_makes_the_rest_durable(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    durable: list[int] = []

    def send_on_and_flush() -> None:
        feed.send(10, blocks=5)
        durable.append(deck.track.counts.durable_samples)
        deck.track.sync()

    deck.on_report = send_on_and_flush
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    deck.finish()
    assert durable == [10]
    assert deck.track.counts.durable_samples == 60


def test_nothing_came_and_nothing_is_made(deck: Deck, feeds: Feeds) -> None:
    deck.record(feeds(INFO))
    assert not (deck.session.path / "amp").exists()
    assert deck.track.counts.failure == ""


def test_a_track_without_a_ring_finishes(deck: Deck) -> None:
    deck.track.start()
    deck.finish()


# --- rings


def test_a_ring_of_the_same_layout_goes_on_in_the_same_files(deck: Deck, feeds: Feeds) -> None:
    first, second = feeds(INFO), feeds(INFO)
    first.send(10, blocks=2)
    second.sent = 1000
    second.send(10, blocks=2)
    deck.record(first, second)
    stream = deck.stream()
    assert numbers(stream.samples) == [*range(20), *range(1000, 1020)]
    assert (segments(stream), stream.gaps) == ([0, 20], [Gap(20, 0, 0)])
    assert not (deck.session.path / "amp.2").exists()


def test_a_ring_of_another_layout_goes_on_in_files_of_its_own(deck: Deck, feeds: Feeds) -> None:
    layouts = INFO, info(channels=3), info(rate_hz=500, channels=3), INFO
    made = [feeds(layout) for layout in layouts]
    for start, feed in enumerate(made):
        feed.sent = 100 * start
        feed.send(10)
    deck.record(*made)
    assert open_below(deck.session.path) == []
    for start, folder in enumerate(("amp", "amp.2", "amp.3", "amp.4")):
        stream = deck.stream(folder)
        assert stream.info == layouts[start]
        assert numbers(stream.samples) == list(range(100 * start, 100 * start + 10))
        assert (segments(stream), stream.gaps) == ([0], [])
        assert stream.header.name == "amp"
    assert (deck.track.counts.samples, deck.track.counts.durable_samples) == (40, 40)
    deck.seal()


def test_a_ring_that_is_gone_does_not_end_the_stream(deck: Deck, feeds: Feeds) -> None:
    gone, next_one = feeds(INFO), feeds(INFO)
    gone.send(10)
    gone.close()
    next_one.send(10)
    deck.record(gone, next_one)
    assert deck.track.counts.failure == ""
    assert len(deck.stream().samples) == 10


def test_a_closed_ring_is_read_to_its_end_and_the_next_one_awaited(
    deck: Deck, feeds: Feeds
) -> None:
    first, second = feeds(INFO), feeds(INFO)
    deck.start(first)
    first.send(10)
    deck.wait_for_report()
    first.send(10, blocks=5)
    first.close()
    second.send(10)
    deck.track.attach(second.name, from_start=True)
    deck.finish()
    assert numbers(deck.stream().samples) == [*range(60), *range(10)]


# --- failures


def test_a_folder_that_cannot_be_written_is_said_at_once(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    failures: list[str] = []
    deck.on_report = lambda: failures.append(deck.track.counts.failure)
    shutil.rmtree(deck.session.path)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    assert "No such file or directory" in failures[0]
    deck.finish()
    assert deck.track.counts.samples == 0


def test_a_failure_on_the_way_is_said_and_what_came_before_stays(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    deck.events.close()  # as if the disk refused
    feed.send(10, 5)
    deck.finish()
    assert "Bad file descriptor" in deck.track.counts.failure
    assert numbers(deck.stream().samples) == list(range(20))


def test_an_error_of_the_recorder_itself_is_said(
    deck: Deck, feeds: Feeds, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError

    monkeypatch.setattr(tape_module.StreamWriter, "append", fail)
    feed = feeds(INFO)
    feed.send(10)
    deck.record(feed)
    assert deck.track.counts.failure == "KeyError()"
    assert "an error in the recorder itself" in caplog.text


def test_a_flush_that_fails_is_said(
    deck: Deck, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = feeds(INFO)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr("rigctl.recording.append_file.os.fdatasync", fail)
        deck.track.sync()
    assert "Input/output error" in deck.track.counts.failure
    deck.finish()
