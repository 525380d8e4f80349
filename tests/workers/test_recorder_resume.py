"""A recorder that is killed, and one that goes on: nothing of before is lost, the gap is told."""

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import mne
import numpy as np
import pytest

from rigctl.peers import former as former_module
from rigctl.peers.orders import Begin, Counts, Ended, Finish, Opened, Progress
from rigctl.recording.events import read_events
from rigctl.recording.layout import EVENTS
from rigctl.recording.manifest import seal
from rigctl.recording.reader import open_stream
from rigctl.recording.recover import recover
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from rigctl.streams import RingReader
from tests.recording.making import REF
from tests.workers.conftest import Deck, Decks, Feeds, Workers
from tests.workers.listening import Listener
from tests.workers.making import info, numbers
from tests.workers.reading import marks, open_below, segments

RATE = 1000
SIMULATED = {"channels": 3, "rate": RATE, "dtype": "int16", "block_s": 0.01, "markers": 0.05}
FLUSH_S = 0.1


async def begin(
    recorder: Listener, session: Session, source: Listener, *, resume: bool = False
) -> None:
    ring = (await source.until(Opened)).ring
    recorder.worker.send(Begin(str(session.path), str(REF), {"amp": ring}, resume=resume))


async def recorded(recorder: Listener, samples: int) -> Counts:
    def there_are(progress: Progress) -> bool:
        return progress.streams["amp"].durable_samples >= samples

    return (await recorder.until(Progress, there_are)).streams["amp"]


async def kill(*listeners: Listener) -> None:
    for listener in listeners:
        os.kill(listener.worker.pid, signal.SIGKILL)
    for listener in listeners:
        await listener.ended()


def sealed(session: Session) -> None:
    """Seal a session with what the files themselves tell; check all of it, also by MNE."""
    seal(Session.open(session.path))
    assert verify(session.path, full=True).problems == []
    raw = mne.io.read_raw_brainvision(session.path / "amp/data.vhdr", verbose="error")
    assert raw.n_times == len(open_stream(session.path / "amp").samples)


# --- processes


async def test_a_recording_that_is_killed_again_and_again_goes_on(
    workers: Workers, session: Session
) -> None:
    """Its sources are killed with it, as with a daemon; the moments of the kills are drawn."""
    chance, kept, expected = random.Random(3), [0], []
    for life in range(4):
        recorder, source = (
            await workers.recorder(FLUSH_S),
            await workers.source("simulated", **SIMULATED, seed=life),
        )
        await begin(recorder, session, source, resume=life > 0)
        durable = await recorded(recorder, kept[-1] + chance.randint(50, 300))
        with RingReader.attach((await source.until(Opened)).ring) as ring:
            await asyncio.to_thread(ring.wait, ring.head + chance.randint(0, 30), 10)
            await kill(recorder, source)
            expected.append(ring.read(0, ring.head))
        found = recover(session.path)
        assert found.streams["amp"].samples >= durable.durable_samples
        kept.append(found.streams["amp"].samples)
    sealed(session)
    stream = open_stream(session.path / "amp")
    assert [gap.position for gap in stream.gaps] == kept[1:-1]
    assert segments(stream) == kept[:-1]
    assert all(gap.missing > 0 for gap in stream.gaps)
    for begun, ended, frames in zip(kept, kept[1:], expected, strict=False):
        part = np.asarray(stream.samples[begun:ended])
        (start,) = (
            n for n in range(len(frames)) if np.array_equal(frames[n : n + len(part)], part)
        )
        assert begun == 0 or start == 0  # a new ring is recorded from its first sample on


async def test_a_recorder_that_is_killed_alone_goes_on_where_the_ring_still_is(
    workers: Workers, session: Session
) -> None:
    """What came meanwhile is in the ring: nothing is missing, and nothing is there twice."""
    source = await workers.source("simulated", **SIMULATED)
    first, second = await workers.recorder(FLUSH_S), await workers.recorder(FLUSH_S)
    await begin(first, session, source)
    await recorded(first, 700)
    await kill(first)
    samples = recover(session.path).streams["amp"].samples
    await begin(second, session, source, resume=True)
    await recorded(second, samples + 500)
    second.worker.send(Finish())
    ended = await second.until(Ended)
    sealed(session)
    stream = open_stream(session.path / "amp")
    with RingReader.attach((await source.until(Opened)).ring) as ring:
        start = int(stream.index[0]["counter"]) * 10
        whole = ring.read(start, start + len(stream.samples))
    np.testing.assert_array_equal(stream.samples, whole)
    counts = ended.streams["amp"]
    assert (counts.gaps, counts.missing_samples) == (0, 0)
    assert counts.interruption
    assert (counts.interruption.position, counts.interruption.missing) == (samples, 0)
    assert counts.interruption.is_exact
    assert segments(stream) == [0]


async def test_a_sealed_session_is_not_gone_on_with(workers: Workers, session: Session) -> None:
    seal(session)
    before = verify(session.path, full=True).problems
    recorder = await workers.recorder(FLUSH_S)
    recorder.worker.send(Begin(str(session.path), str(REF), {"amp": None}, resume=True))
    told = await recorder.until(Progress)
    assert "is sealed: nothing is added" in told.streams["amp"].failure
    assert verify(session.path, full=True).problems == before


async def test_resuming_is_an_event_and_events_are_numbered_on(
    workers: Workers, session: Session
) -> None:
    source = await workers.source("simulated", **SIMULATED)
    for life in range(2):
        recorder = await workers.recorder(FLUSH_S)
        await begin(recorder, session, source, resume=life > 0)
        await recorded(recorder, 100 * (life + 1))
        await kill(recorder)
        recover(session.path)
    read = read_events(session.path / EVENTS)
    assert read.problems == ()
    assert [e.kind for e in read.events if e.source == "recorder"] == ["start", "resume"]


# --- a track


def go_on(deck: Deck, since_unix_s: float | None = None) -> None:
    found = former_module.find_former(deck.session.path, "amp", since_unix_s)
    assert found
    deck.track.go_on(found)


INFO = info()


@pytest.fixture
def same_boot(decks: Decks) -> None:
    """As the recorder does when it begins."""
    deck = decks()
    deck.events.append("recorder", "start", {"boot": former_module.boot()})


def interrupted(decks: Decks, feeds: Feeds, ago_s: float, samples: int = 100) -> float:
    """Record some samples, the last of which was taken so long ago; return when."""
    taken_s = time.monotonic() - ago_s
    feed = feeds(INFO)
    feed.arrival_s = taken_s - samples / 1000
    feed.send(10, blocks=samples // 10)
    decks().record(feed)
    return taken_s


@pytest.mark.usefixtures("same_boot")
def test_what_is_missing_is_told_by_the_clock(decks: Decks, feeds: Feeds) -> None:
    taken_s = interrupted(decks, feeds, 60)
    deck, feed = decks(), feeds(INFO)
    go_on(deck)
    feed.sent, feed.arrival_s = 5000, taken_s + 42.5
    feed.send(10, 0, blocks=5)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples) == [*range(100), *range(5000, 5050)]
    (gap,) = stream.gaps
    assert (gap.position, gap.filled, gap.missing) == (100, 0, 42_500)
    assert marks(stream, "Comment") == [(100, "GAP 42500")]
    assert segments(stream) == [0, 100]
    assert marks(stream, "Stimulus")[0] == (100, "5000")
    counts = deck.track.counts
    assert (counts.samples, counts.durable_samples, counts.missing_samples) == (150, 150, 42_500)
    assert counts.interruption is not None
    assert (counts.interruption.position, counts.interruption.missing) == (100, 42_500)
    lasted_s = counts.interruption.until_unix_s - (counts.interruption.since_unix_s or 0)
    assert lasted_s == pytest.approx(42.5, abs=0.01)
    assert counts.positions == {}


@pytest.mark.usefixtures("same_boot")
def test_after_a_restart_of_the_computer_it_is_told_by_when_it_was_last_seen(
    decks: Decks, feeds: Feeds, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    interrupted(decks, feeds, 1e6)
    (tmp_path / "boot_id").write_text("another start of the computer\n")
    monkeypatch.setattr(former_module, "BOOT_ID", tmp_path / "boot_id")
    deck, feed = decks(), feeds(INFO)
    go_on(deck, since_unix_s=time.time() - 60)
    feed.arrival_s = time.monotonic() - 10
    feed.send(10, blocks=5)
    deck.record(feed)
    (gap,) = deck.stream().gaps
    assert gap.missing == pytest.approx(50_000, abs=50)


def test_where_nobody_can_tell_no_number_is_made_up(decks: Decks, feeds: Feeds) -> None:
    interrupted(decks, feeds, 60)  # by a recorder that did not say since when the computer runs
    deck, feed = decks(), feeds(INFO)
    go_on(deck)
    feed.send(10, blocks=5)
    deck.record(feed)
    stream = deck.stream()
    (gap,) = stream.gaps
    assert (gap.position, gap.filled, gap.missing) == (100, 0, 0)
    assert marks(stream, "Comment") == []
    assert segments(stream) == [0, 100]


@pytest.mark.usefixtures("same_boot")
def test_a_ring_of_another_layout_goes_on_in_a_folder_of_its_own(
    decks: Decks, feeds: Feeds
) -> None:
    taken_s = interrupted(decks, feeds, 60)
    deck, feed = decks(), feeds(info(channels=3))
    go_on(deck)
    feed.arrival_s = taken_s + 30
    feed.send(10, blocks=5)
    deck.record(feed)
    assert len(deck.stream().samples) == 100
    assert len(deck.stream("amp.2").samples) == 50
    counts = deck.track.counts
    assert (counts.samples, counts.durable_samples) == (150, 150)
    assert counts.interruption is not None
    assert counts.interruption.folder == "amp.2"
    assert counts.interruption.missing == 30_000


@pytest.mark.usefixtures("same_boot")
def test_the_last_of_several_folders_goes_on(decks: Decks, feeds: Feeds) -> None:
    other = info(channels=3)
    made = [feeds(layout) for layout in (INFO, other)]
    for place, feed in enumerate(made):
        feed.arrival_s = time.monotonic() - 60 + place
        feed.send(10, blocks=5)
    decks().record(*made)
    deck, feed = decks(), feeds(other)
    go_on(deck)
    feed.arrival_s = time.monotonic() - 30
    feed.send(10, blocks=5)
    deck.record(feed)
    assert len(deck.stream("amp.2").samples) == 100
    assert deck.track.counts.samples == 150


def test_a_stream_of_which_nothing_was_recorded_has_nothing_to_go_on_with(
    session: Session,
) -> None:
    assert former_module.find_former(session.path, "amp", None) is None


@pytest.mark.usefixtures("same_boot")
def test_a_stop_may_lie_before_the_crash(decks: Decks, feeds: Feeds) -> None:
    taken_s = interrupted(decks, feeds, 60)
    deck, feed = decks(), feeds(INFO)
    go_on(deck)
    feed.arrival_s = taken_s + 30
    feed.send(10, blocks=5)
    deck.record(feed, stop_s=taken_s - 0.0305)
    assert numbers(deck.stream().samples) == list(range(69))


@pytest.mark.usefixtures("same_boot")
def test_a_stop_may_lie_before_the_crash_and_the_layout_be_another(
    decks: Decks, feeds: Feeds
) -> None:
    taken_s = interrupted(decks, feeds, 60)
    deck, feed = decks(), feeds(info(channels=3))
    go_on(deck)
    feed.arrival_s = taken_s + 30
    feed.send(10, blocks=5)
    deck.start(feed)
    deck.wait_for_report()
    deck.finish(taken_s - 0.0305)
    assert numbers(deck.stream().samples) == list(range(69))
    assert len(deck.stream("amp.2").samples) == 0
    assert deck.track.counts.samples == 69
    assert open_below(deck.session.path / "amp") == []
