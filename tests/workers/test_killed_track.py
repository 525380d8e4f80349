"""A recorder killed at any write goes on as if nothing had been, where the ring still is."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rigctl.blocks import Block, BlockFlags, Marker
from rigctl.peers.former import boot, cut_ahead, find_former
from rigctl.peers.orders import Counts
from rigctl.recording.reader import StreamReader, open_stream
from rigctl.recording.recover import put_in_order
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.recording.making import make_session
from tests.workers.conftest import Deck, Feeds
from tests.workers.making import Feed, info, numbers
from tests.workers.reading import marks, segments

INFO = info(rate_hz=100)
_BITES = (0, 1, 7)
"""How many bytes of the last write come to the disk."""


class Killed(BaseException):
    """Nothing that this thread does comes to the disk any more."""


class Death:
    """Kills a recording at one of its writes: from then on nothing reaches the disk."""

    def __init__(self, patch: pytest.MonkeyPatch, writes: int, bite: int = 0) -> None:
        self.writes = 0
        self._last, self._bite = writes, bite
        for name in ("write", "ftruncate", "fdatasync", "fsync", "rename", "replace"):
            patch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        def call(*args: object) -> int:
            if self.writes == self._last:
                raise Killed
            if name == "write":
                self.writes += 1
                if self.writes == self._last:
                    real(args[0], bytes(args[1])[: self._bite])  # type: ignore[call-overload]
                    raise Killed
            return real(*args)

        return call


def eventful(feed: Feed) -> Feed:
    """Send a little of all that there is: losses, long ones too, runs, markers, empty blocks."""
    feed.send(10, 0, 4, blocks=2)
    feed.ring.write(empty(feed, "between"))
    feed.send(10, 9)
    feed.lose(2, 10)  # filled in
    feed.send(10, 0)
    feed.lose(200, 10)  # too long for that
    feed.send(10, 3, flags=BlockFlags.GAP_BEFORE)
    feed.ring.begin_run()
    feed.send(10, 5)
    feed.ring.write(empty(feed, "at the end"))
    return feed


def empty(feed: Feed, text: str) -> Block:
    number, feed.counter = feed.counter, feed.counter + 1
    none = feed.layout.numpy_dtype.type(0).repeat(0).reshape(0, *feed.layout.shape)
    return Block(none, number, feed.arrival_s, (Marker(0, "Comment", text),))


def begin(session: Session) -> Deck:
    deck = Deck(session)
    deck.events.append("recorder", "start", {"boot": boot()})
    return deck


def resume(session: Session) -> Deck:
    """Go on as another recorder does."""
    put_in_order(session.path)
    deck = begin(session)
    cut_ahead(session.path, "amp", deck.events)
    if former := find_former(session.path, "amp", None):
        deck.track.go_on(former)
    return deck


def facts(session: Session) -> tuple[object, ...]:
    assert verify(session.path).problems == []
    stream = open_stream(session.path / "amp")
    return numbers(stream.samples), told(stream), stream.gaps, segments(stream)


def told(stream: StreamReader) -> list[object]:
    return [marks(stream, kind) for kind in ("Stimulus", "Comment")]


def killed_at(session: Session, feed: Feed, write: int, bite: int) -> bool:
    """Record a ring, and be killed at a write; return whether there was one left."""
    deck = begin(session)
    with pytest.MonkeyPatch.context() as patch:
        death = Death(patch, write, bite)
        with contextlib.suppress(Killed):
            deck.record(feed)
    deck.events.close()
    return death.writes == write


def test_killed_at_any_write_it_goes_on_as_if_nothing_had_been(
    tmp_path: Path, feeds: Feeds
) -> None:
    feed = eventful(feeds(INFO, 4096))
    whole = make_session(tmp_path / "whole")
    assert not killed_at(whole, feed, -1, 0)
    expected = facts(whole)
    write = 0
    while True:
        write += 1
        session = make_session(tmp_path / str(write))
        if not killed_at(session, feed, write, _BITES[write % 3]):
            break
        resume(session).record(feed)
        assert facts(session) == expected, write
    assert write > 20


def test_killed_time_and_again_nothing_is_lost(tmp_path: Path, feeds: Feeds) -> None:
    feed = eventful(feeds(INFO, 4096))
    whole, session = make_session(tmp_path / "whole"), make_session(tmp_path / "data")
    killed_at(whole, feed, -1, 0)
    killed_at(session, feed, 5, 0)
    for write in range(3, 40, 3):
        deck = resume(session)
        with pytest.MonkeyPatch.context() as patch:
            Death(patch, write, 3)
            with contextlib.suppress(Killed):
                deck.record(feed)
        deck.events.close()
    resume(session).record(feed)
    assert facts(session) == facts(whole)


def test_what_the_ring_lost_meanwhile_is_counted_exactly(session: Session, feeds: Feeds) -> None:
    feed = feeds(INFO, 256)
    feed.send(10, blocks=10)
    begin(session).record(feed)
    feed.send(10, blocks=200)
    deck = resume(session)
    deck.record(feed)
    stream, counts = deck.stream(), deck.track.counts
    (gap,) = stream.gaps
    assert (gap.position, gap.filled) == (100, 0)
    assert len(stream.samples) + gap.missing == feed.sent
    assert numbers(stream.samples)[100:] == list(range(100 + gap.missing, feed.sent))
    assert_told(counts, gap.missing)


def assert_told(counts: Counts, missing: int) -> None:
    lost = counts.interruption
    assert lost
    assert (lost.position, lost.missing, lost.is_exact) == (100, missing, True)
    assert counts.overruns == 1
    assert "samples were overwritten before they could be recorded" in counts.trouble
