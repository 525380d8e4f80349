"""A disk that is full, broken or read-only: said at once, intact, and STOP is legal.

A small file system of its own stands for the disk; errors that no file system gives on demand are
injected below the recording, where it calls the system.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rigctl.peers import fulldisk
from rigctl.peers.former import boot
from rigctl.recording.session import Session
from tests.recording.making import make_session
from tests.system.programs import small_disk
from tests.workers.conftest import Deck, Feeds
from tests.workers.making import Feed, info, numbers
from tests.workers.reading import marks, segments

INFO = info(rate_hz=100_000, channels=64)
POINTS = 100
"""Blocks of 51200 bytes."""
_KILOBYTES = 6 << 10


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    with small_disk(path, _KILOBYTES):
        yield path


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fulldisk, "RETRY_S", 0.02)


@pytest.fixture
def on_disk(disk: Path) -> Iterator[Deck]:
    session = make_session(disk / "data")
    deck = Deck(session)
    deck.events.append("recorder", "start", {"boot": boot()})
    yield deck
    with contextlib.suppress(RuntimeError):  # it was never started
        deck.track.finish()
        deck.track.join()
    deck.events.close()


def fill(disk: Path, left: int = 0) -> Path:
    """Fill a disk as another program does."""
    path = disk / "other"
    with path.open("wb", buffering=0) as file:
        piece = b"\0" * 4096
        with contextlib.suppress(OSError):
            while os.statvfs(disk).f_bavail * 4096 > left:
                file.write(piece)
    return path


def until_failure(deck: Deck, text: str) -> str:
    """Wait until a failure is reported; return it."""
    while text not in deck.track.counts.failure:
        deck.wait_for_report()
        deck.reported.clear()
    return deck.track.counts.failure


def until_none(deck: Deck) -> None:
    while deck.track.counts.failure:
        deck.wait_for_report()
        deck.reported.clear()


def test_a_full_disk_is_said_and_once_there_is_space_all_is_recorded(
    disk: Path, on_disk: Deck, feeds: Feeds
) -> None:
    feed = feeds(INFO, 100 * POINTS)
    feed.send(POINTS, 5, blocks=2)
    on_disk.start(feed)
    on_disk.wait_for_report()
    other = fill(disk)
    feed.send(POINTS, 5, blocks=40)
    said = until_failure(on_disk, "while the disk is full")
    assert "No space left on device (0.0 MB free)" in said
    feed.send(POINTS, 5, blocks=5)
    other.unlink()
    until_none(on_disk)
    feed.send(POINTS, 5, blocks=2)
    on_disk.finish()
    stream, counts = on_disk.stream(), on_disk.track.counts
    assert numbers(stream.samples) == list(range(feed.sent))
    assert marks(stream, "Stimulus") == [(n + 5, str(n + 5)) for n in range(0, feed.sent, POINTS)]
    assert (stream.gaps, segments(stream), counts.overruns) == ([], [0], 0)
    lost = counts.interruption
    assert lost
    assert (lost.missing, lost.is_exact, lost.cause) == (0, True, "a full disk")
    on_disk.seal()


def test_what_the_ring_does_not_hold_until_there_is_space_is_a_gap_of_known_length(
    disk: Path, on_disk: Deck, feeds: Feeds
) -> None:
    feed = feeds(INFO, 20 * POINTS)
    feed.send(POINTS, blocks=2)
    on_disk.start(feed)
    on_disk.wait_for_report()
    other = fill(disk)
    feed.send(POINTS, blocks=10)
    until_failure(on_disk, "while the disk is full")
    feed.send(POINTS, blocks=60)
    other.unlink()
    until_none(on_disk)
    on_disk.finish()
    stream = on_disk.stream()
    (gap,) = stream.gaps
    before, after = numbers(stream.samples)[: gap.position], numbers(stream.samples)[gap.position :]
    assert before == list(range(gap.position))
    assert after == list(range(gap.position + gap.missing, feed.sent))
    assert gap.missing > 0
    assert on_disk.track.counts.overruns == 1


def test_a_stop_while_the_disk_is_full_ends_with_what_is_there(
    disk: Path, on_disk: Deck, feeds: Feeds
) -> None:
    feed = feeds(INFO, 100 * POINTS)
    feed.send(POINTS, blocks=2)
    on_disk.start(feed)
    on_disk.wait_for_report()
    other = fill(disk)
    feed.send(POINTS, blocks=40)
    until_failure(on_disk, "while the disk is full")
    on_disk.finish()
    counts = on_disk.track.counts
    assert "No space left" in counts.failure
    assert counts.ended
    stream = on_disk.stream()
    assert numbers(stream.samples) == list(range(counts.samples))
    assert counts.samples == counts.durable_samples >= 2 * POINTS
    other.unlink()
    on_disk.seal()


def test_a_disk_that_is_full_from_the_beginning_is_said_and_waited_for(
    disk: Path, on_disk: Deck, feeds: Feeds
) -> None:
    feed = feeds(INFO, 100 * POINTS)
    feed.send(POINTS, blocks=2)
    other = fill(disk)
    on_disk.start(feed)
    until_failure(on_disk, "while the disk is full")
    other.unlink()
    until_none(on_disk)
    on_disk.finish()
    assert numbers(on_disk.stream().samples) == list(range(feed.sent))


# --- errors that are injected


def failing(patch: pytest.MonkeyPatch, call: str, number: int, *, of: str) -> Callable[[], None]:
    """Have a call of the system fail for files of a name; return what ends it."""
    real = getattr(os, call)
    is_on = {True}

    def fail(fd: int, *args: object) -> object:
        if is_on and Path(f"/proc/self/fd/{fd}").readlink().match(of):
            raise OSError(number, os.strerror(number))
        return real(fd, *args)

    patch.setattr(os, call, fail)
    return is_on.clear


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS], ids=["EIO", "EROFS"])
def test_a_write_that_fails_is_said_at_once_and_leaves_what_was_there(
    session: Session, feeds: Feeds, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    deck, feed = Deck(session), feeds(info())
    feed.send(10, blocks=5)
    deck.start(feed)
    deck.wait_for_report()
    failing(monkeypatch, "write", number, of="data.*")
    feed.send(10, blocks=5)
    assert os.strerror(number) in until_failure(deck, "data.bin")
    deck.finish()
    assert numbers(deck.stream().samples) == list(range(50))


def test_a_flush_that_fails_is_said_and_nothing_more_is_called_durable(
    session: Session, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck, feed = Deck(session), feeds(info())
    feed.send(10, blocks=5)
    deck.start(feed)
    deck.wait_for_report()
    end = failing(monkeypatch, "fdatasync", errno.EIO, of="data.*")
    feed.send(10, blocks=5)
    deck.track.sync()
    assert "Input/output error" in until_failure(deck, "data.bin")
    end()  # the system has forgotten the pages that it could not write
    deck.finish()
    assert deck.track.counts.durable_samples == 50
    assert numbers(deck.stream().samples)[:50] == list(range(50))


def test_a_system_that_writes_a_little_at_a_time_writes_all(
    session: Session, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck, feed = Deck(session), feeds(info())
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:7]))
    send_marked(feed)
    deck.record(feed)
    assert numbers(deck.stream().samples) == list(range(50))
    assert len(marks(deck.stream(), "Stimulus")) == 5


def send_marked(feed: Feed) -> None:
    feed.send(10, 3, blocks=5)
