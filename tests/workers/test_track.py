"""A stream from ring to disk: every sample that came, where it belongs; every loss said."""

import shutil
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigctl.blocks import Block, BlockFlags, Channel, Marker, StreamInfo
from rigctl.peers import track as track_module
from rigctl.recording.events import read_events
from rigctl.recording.layout import EVENTS
from rigctl.recording.markers import logged_markers
from rigctl.recording.reader import Gap, StreamReader
from tests.recording.making import make_session
from tests.workers.conftest import Deck, Feeds
from tests.workers.making import LOST, Feed, info, numbers

INFO = info()
SIGNAL = StreamInfo("float32", (2,), Fraction(1000), (Channel("a"), Channel("b")))


def marks(stream: StreamReader, kind: str) -> list[tuple[int, str]]:
    return [(m.position, m.description) for m in stream.markers if m.type == kind]


def segments(stream: StreamReader) -> list[int]:
    return [marker.position for marker in stream.markers if marker.type == "New Segment"]


def open_below(folder: Path) -> list[str]:
    """The files below a folder that this process has open, where the system tells."""
    descriptors = Path("/proc/self/fd").glob("*")
    targets = [str(one.readlink()) for one in descriptors if one.is_symlink()]
    return [target for target in targets if target.startswith(str(folder))]


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


# --- gaps


def test_lost_blocks_are_filled_in_marked_flagged_and_counted(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, blocks=2)
    feed.lose(3, 10)
    feed.send(10, blocks=2)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples) == [*range(20), *[LOST] * 30, *range(50, 70)]
    assert stream.gaps == [Gap(20, 30, 0)]
    assert marks(stream, "Comment") == [(20, "GAP 30")]
    assert segments(stream) == [0]
    assert (deck.track.counts.gaps, deck.track.counts.missing_samples) == (1, 30)
    filled = stream.index[stream.index["flags"] & BlockFlags.FILLED != 0]
    assert filled["counter"].tolist() == [2]
    deck.seal()


def test_samples_that_never_came_are_not_a_number_in_a_float_stream(
    deck: Deck, feeds: Feeds
) -> None:
    feed = feeds(SIGNAL)
    for counter in (0, 3):
        feed.ring.write(Block(np.ones((4, 2), "<f4"), counter, 1.0))
    deck.record(feed)
    samples = deck.stream().samples
    assert np.isnan(samples[4:12]).all()
    assert (samples[:4] == 1).all()
    assert (samples[12:] == 1).all()


def test_ten_seconds_are_filled_in_and_more_begins_a_segment(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10)
    feed.lose(1000, 10)
    feed.send(10)
    feed.lose(1001, 10)
    feed.send(10)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples)[10_010:] == [*range(10_010, 10_020), *range(20_030, 20_040)]
    assert segments(stream) == [0, 10_020]
    assert marks(stream, "Comment") == [(10, "GAP 10000"), (10_020, "GAP 10010")]
    assert stream.gaps == [Gap(10, 10_000, 0), Gap(10_020, 0, 10_010)]
    assert deck.track.counts.missing_samples == 20_010


def test_a_new_run_begins_a_segment(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, blocks=2)
    feed.ring.begin_run()
    feed.counter = 0
    feed.send(10, blocks=2)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples) == list(range(40))
    assert segments(stream) == [0, 20]
    assert stream.gaps == [Gap(20, 0, 0)]


def test_a_loss_that_the_device_cannot_measure_begins_a_segment(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10)
    feed.send(10, flags=BlockFlags.GAP_BEFORE)
    deck.record(feed)
    assert deck.stream().gaps == [Gap(10, 0, 0)]
    assert segments(deck.stream()) == [0, 10]


def test_a_segment_tells_when_its_first_sample_was_taken(
    deck: Deck, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track_module.time, "time", lambda: 1_700_000_000.0)
    monkeypatch.setattr(track_module.time, "monotonic", lambda: 500.0)
    feed = feeds(INFO)  # its first block of 10 ms comes at 100.01 s
    feed.send(10, blocks=10)
    feed.ring.begin_run()
    feed.send(20)
    deck.record(feed)
    logged = logged_markers(read_events(deck.session.path / EVENTS).events, "amp")
    begun = [entry.when.timestamp() for entry in logged if entry.when]
    assert begun == pytest.approx([1_699_999_600.0, 1_699_999_600.1], abs=1e-5)


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


# --- overruns


def test_an_overrun_is_located_filled_in_and_counted(deck: Deck, feeds: Feeds) -> None:
    feed, disk_is_fast = feeds(INFO, 512), threading.Event()
    deck.on_report = lambda: disk_is_fast.wait(10)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    feed.send(10, 3, blocks=200)
    disk_is_fast.set()
    deck.finish()
    stream = deck.stream()
    found = numbers(stream.samples)
    assert len(found) == feed.sent
    assert all(number in (LOST, place) for place, number in enumerate(found))
    (gap,) = stream.gaps
    assert (gap.position, gap.filled) == (10, found.count(LOST))
    assert found[-500:] == list(range(feed.sent - 500, feed.sent))
    counts = deck.track.counts
    assert (counts.overruns, counts.gaps, counts.missing_samples) == (1, 1, gap.filled)
    assert all(found[at] == int(text) for at, text in marks(stream, "Stimulus"))
    filled = stream.index[stream.index["flags"] & BlockFlags.FILLED != 0]
    assert filled["counter"][0] == 1  # the first block that is lost


def test_an_overrun_longer_than_is_filled_in_begins_a_segment(deck: Deck, feeds: Feeds) -> None:
    feed, disk_is_fast = feeds(info(rate_hz=10), 512), threading.Event()
    deck.on_report = lambda: disk_is_fast.wait(10)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    feed.send(10, blocks=200)
    disk_is_fast.set()
    deck.finish()
    stream = deck.stream()
    (gap,) = stream.gaps
    assert (gap.position, gap.filled) == (10, 0)
    assert segments(stream) == [0, 10]
    assert len(stream.samples) + gap.missing == feed.sent
    assert numbers(stream.samples)[10:] == list(range(10 + gap.missing, feed.sent))


def test_what_is_overwritten_before_the_recorder_comes_is_counted(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO, 512)
    feed.send(10, blocks=200)
    deck.record(feed)
    stream = deck.stream()
    (gap,) = stream.gaps
    assert (gap.position, gap.filled) == (0, 0)
    assert len(stream.samples) + gap.missing == feed.sent
    assert numbers(stream.samples) == list(range(gap.missing, feed.sent))
    assert deck.track.counts.overruns == 1


# --- markers


def test_markers_stand_at_their_samples(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, 0, 9, blocks=3)
    feed.lose(2, 10)
    feed.send(10, 0, 5, 9)
    deck.record(feed)
    expected = [0, 9, 10, 19, 20, 29, 50, 55, 59]
    assert marks(deck.stream(), "Stimulus") == [(at, str(at)) for at in expected]


def test_markers_of_a_block_may_come_in_any_order(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, 9, 0, 5)
    feed.lose(2, 10)
    feed.send(10, 7, 2)
    deck.record(feed)
    expected = [0, 5, 9, 32, 37]
    assert marks(deck.stream(), "Stimulus") == [(at, str(at)) for at in expected]


def test_markers_of_a_block_without_samples_stand_at_the_next_one(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(0, 0)
    feed.send(10)
    feed.send(0, 0)
    feed.send(10)
    feed.send(0, 0)
    deck.record(feed)
    assert marks(deck.stream(), "Stimulus") == [(0, "0"), (10, "10"), (20, "20")]


def test_markers_at_the_very_end_are_recorded_though_no_sample_follows(
    deck: Deck, feeds: Feeds
) -> None:
    feed, goes_on = feeds(INFO), threading.Event()
    deck.on_report = lambda: goes_on.wait(10)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    feed.send(0, 0)
    deck.track.finish()
    goes_on.set()
    deck.finish()
    assert marks(deck.stream(), "Stimulus") == [(10, "10")]


def test_markers_outside_their_block_stay_in_the_recording(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, -3)
    feed.send(10, 12)
    deck.record(feed)
    assert [at for at, _ in marks(deck.stream(), "Stimulus")] == [0, 20]


def test_a_marker_outside_its_block_costs_no_other(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, 12, 3)
    feed.lose(2, 10)
    feed.send(10, 5)
    deck.record(feed)
    found = dict(reversed(mark) for mark in marks(deck.stream(), "Stimulus"))
    assert found.keys() == {"12", "3", "35"}
    assert (found["3"], found["35"]) == (3, 35)


def test_length_and_channel_of_a_marker_are_kept(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    marker = Marker(2, "Response", "R  1, with a comma", points=5, channel=1)
    feed.ring.write(Block(np.ones((4, 2), "<i8"), 0, 1.0, (marker,)))
    deck.record(feed)
    assert [m for m in deck.stream().markers if m.type == "Response"] == [marker]


# --- whatever happens

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 3)),
        st.tuples(st.just("lose"), st.integers(1, 30)),
        st.tuples(st.just("lull"), st.just(0)),
        st.tuples(st.just("run"), st.just(0)),
    ),
    max_size=30,
)


@given(ACTIONS)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_all_that_is_sent_is_recorded_or_counted_and_every_marker_is_at_its_sample(
    tmp_path: Path, actions: list[tuple[str, int]]
) -> None:
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    deck, feed = Deck(make_session(tmp_path / "data")), Feed(info(rate_hz=10), 4096)
    feed.send(10, 4)
    for action, number in [*actions, ("send", 1)]:
        match action:
            case "send":
                feed.send(10, *range(3, 3 + number))
            case "lose":  # up to 300 samples; more than 100 are not filled in
                feed.lose(number, 10)
            case "lull":
                feed.send(0)
            case "run":  # what is lost beside it, nobody can know
                feed.ring.begin_run()
    uncounted = _lost_at_runs(actions)
    deck.record(feed)
    feed.close()
    stream, counts = deck.stream(), deck.track.counts
    found = numbers(stream.samples)
    beside = sum(gap.missing for gap in stream.gaps)
    assert len(found) + beside + uncounted == feed.sent
    assert counts.missing_samples == found.count(LOST) + beside
    kept = [number for number in found if number != LOST]
    assert kept == sorted(set(kept))
    assert all(found[at] == int(text) for at, text in marks(stream, "Stimulus"))
    assert counts.samples == counts.durable_samples == len(found)


def _lost_at_runs(actions: list[tuple[str, int]]) -> int:
    """How many samples are lost between the last block of a run and the first of the next."""
    lost = pending = 0
    begins = False
    for action, number in [*actions, ("send", 1)]:
        match action:
            case "lose":
                pending += 10 * number
            case "run":
                begins = True
            case _:  # a block shows what was lost before it
                lost += pending if begins else 0
                pending, begins = 0, False
    return lost


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

    monkeypatch.setattr(track_module.StreamWriter, "append", fail)
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
