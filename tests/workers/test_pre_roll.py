"""What came before the start is recorded, too, as far as the ring has it; the window stays."""

import time
from pathlib import Path

import pytest

from rigctl.recording.session import Session
from tests.daemon.test_recording import RIG, amp, desk_of
from tests.recording.making import REF
from tests.workers.conftest import Deck, Feeds
from tests.workers.making import Feed, info, numbers
from tests.workers.reading import marks

BEGAN_S = 100.0
"""When the sample before the first of a feed was taken; it brings 1000 a second."""


@pytest.fixture
def feed(feeds: Feeds) -> Feed:
    return feeds(info(), 1024)


def test_a_recording_begins_so_much_before_its_window(session: Session, feed: Feed) -> None:
    feed.send(10, 0, blocks=60)
    deck = Deck(session, BEGAN_S + 0.5004, 0.2)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples) == list(range(300, 600))
    start, stop = deck.track.counts.positions["amp"]
    assert start == pytest.approx(199.4, abs=1e-6)
    assert stop is None
    assert marks(stream, "Stimulus")[:2] == [(0, "300"), (10, "310")]
    assert deck.track.counts.overruns == 0


def test_what_the_ring_has_not_of_it_is_no_loss(session: Session, feed: Feed) -> None:
    feed.send(10, blocks=20)
    deck = Deck(session, BEGAN_S + 0.1, 3600.0)
    deck.record(feed)
    assert numbers(deck.stream().samples) == list(range(200))
    assert deck.track.counts.positions["amp"][0] == pytest.approx(99, abs=1e-6)
    assert deck.track.counts.overruns == 0


def test_what_was_overwritten_of_it_is_no_loss(session: Session, feed: Feed) -> None:
    feed.send(10, blocks=500)
    deck = Deck(session, BEGAN_S + 4.9, 3600.0)
    deck.record(feed)
    stream, counts = deck.stream(), deck.track.counts
    found = numbers(stream.samples)
    assert found == list(range(5000 - len(found), 5000))
    assert 500 < len(found) < 5000
    assert (counts.overruns, counts.trouble, stream.gaps) == (0, "", [])
    start = counts.positions["amp"][0]
    assert start == pytest.approx(len(found) - 101, abs=1e-6)


def test_what_was_overwritten_of_the_window_itself_is_a_loss(session: Session, feed: Feed) -> None:
    feed.send(10, blocks=500)
    deck = Deck(session, BEGAN_S + 1, 0.5)
    deck.record(feed)
    stream, counts = deck.stream(), deck.track.counts
    (gap,) = stream.gaps
    assert (gap.position, counts.overruns) == (0, 1)
    assert len(stream.samples) + gap.missing == pytest.approx(4000, abs=1)


def test_the_start_may_come_after_its_pre_roll_was_recorded(session: Session, feed: Feed) -> None:
    feed.send(10, blocks=20)
    deck = Deck(session, BEGAN_S + 0.35, 0.2)
    deck.start(feed)
    deck.wait_for_report()
    assert deck.track.counts.positions == {}
    feed.send(10, blocks=40)
    deck.finish(BEGAN_S + 0.5)
    assert numbers(deck.stream().samples) == list(range(149, 499))
    start, stop = deck.track.counts.positions["amp"]
    assert (start, stop) == (pytest.approx(200, abs=1e-6), pytest.approx(350, abs=1e-6))


def test_a_window_that_ends_before_it_begins_in_the_ring_is_cut(
    session: Session, feed: Feed
) -> None:
    feed.send(10, blocks=60)
    deck = Deck(session, BEGAN_S + 0.5, 0.2)
    deck.record(feed, stop_s=BEGAN_S + 0.55)
    assert numbers(deck.stream().samples) == list(range(299, 549))


@pytest.mark.parametrize("at_s", [None, 0.5], ids=["now", "future"])
async def test_a_rig_records_its_pre_roll(tmp_path: Path, at_s: float | None) -> None:
    path, place = tmp_path / "rig.yaml", tmp_path / "data" / REF.folder / "eeg"
    path.write_text(f"pre_roll: 0.8s{RIG}")
    async with desk_of(path) as desk:
        await desk.until_received(1500)
        start_s = time.monotonic() + (at_s or 0.0)
        begun_unix_s = time.time() + (at_s or 0.0)
        await desk.recording.begin(REF, 10, None if at_s is None else start_s)
        assert time.monotonic() >= start_s
        await desk.until_samples(1000)
        record = await desk.end_and_seal(start_s + 0.6)
    assert record.window
    assert record.window.start_unix_s == pytest.approx(begun_unix_s, abs=0.1)
    start, stop = record.window.positions["amp"]
    assert start == pytest.approx(800, abs=10)
    assert stop == pytest.approx(1400, abs=100 if at_s is None else 10)
    assert len(amp(place).samples) == pytest.approx(1400, abs=100 if at_s is None else 10)
