"""What a salvaged stream will consist of, sample by sample (pure).

From: `salvage_order`, the intact blocks.  To: `salvage_stream`, which writes them anew.

    recorded    |0  |10 |20 |30 |40 |50 |         20 to 39 are damaged
    salvaged    |0  |10 |filled |40 |50 |         up to the limit; sample index stays time
                |0  |10 |40 |50 |                 beyond: a new segment, and markers move along
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rigctl.blocks import BlockFlags
from rigctl.recording import index
from rigctl.recording.salvage_blocks import Block, Extent, is_filled
from rigctl.recording.salvage_index import Proof
from rigctl.recording.salvage_order import end_of, first_of

_OWN_FLAGS = BlockFlags.START | BlockFlags.ROLL_OVER
"""What the writer of the new files sets by itself."""


@dataclass(frozen=True, slots=True)
class Keep:
    """An intact block."""

    block: Block
    record: index.Record
    """What is to be said of it anew: counter, time, flags, missing."""
    begins_segment: bool
    """Whether samples before it are lost that nothing stands in for."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Samples that were recorded, and of which nothing intact is left."""

    first: int
    """In the recording."""
    samples: int
    filled: bool
    counter: int
    arrival_s: float


@dataclass(frozen=True, slots=True)
class Raw:
    """Samples that no checksum speaks for, taken because somebody asked for them."""

    path: Path
    at: int
    samples: int
    counter: int
    arrival_s: float


Step = Keep | Lost | Raw


@dataclass(frozen=True, slots=True)
class Span:
    """Where samples of the recording stand in the salvaged one."""

    old: int
    new: int
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One stream."""

    steps: tuple[Step, ...] = ()
    spans: tuple[Span, ...] = ()
    """In the order of the recording."""

    def position(self, old: float) -> float:
        """Return where a position of the recording lies in the salvaged one."""
        at = bisect_right(self.spans, old, key=_old) - 1
        if at < 0:
            return self.spans[0].new if self.spans else old
        span = self.spans[at]
        is_last = at == len(self.spans) - 1
        return span.new + (old - span.old if is_last else min(old - span.old, span.count))


def plan(
    main: Sequence[Block],
    others: Sequence[Sequence[Block]],
    fill_limit: int,
    raw: "RawFrames | None" = None,
) -> Plan:
    """Return what becomes of a stream.

    Args:
        main: the intact blocks that follow the recording's own count.
        others: those that have a count of their own, from each recovery.
        fill_limit: the longest loss, in samples, that is stood in for.
        raw: where samples without a checksum are to be taken from, if they are.
    """
    builder = _Builder(fill_limit, raw)
    waiting = sorted(others, key=_begin)
    for block in main:
        while waiting and first_of(waiting[0][0]) <= first_of(block):
            builder.add_apart(waiting.pop(0))
        builder.add(block)
    for group in waiting:
        builder.add_apart(group)
    if raw:
        builder.add_raw(raw.behind(main[-1] if main else None))
    return Plan(tuple(builder.steps), tuple(builder.spans))


class RawFrames:
    """Finds the samples between and behind intact blocks, in the files that are in place.

    Args:
        extents: every file of the stream.
        frame_bytes: the size of a sample.
    """

    def __init__(self, extents: Sequence[Extent], frame_bytes: int) -> None:
        self._parts = {extent.part: extent for extent in extents if not extent.aside}
        self._frame_bytes = frame_bytes

    def between(self, before: Block | None, after: Block) -> list[tuple[Path, int, int]]:
        """Return file, place and number of samples; nothing unless it is all that is lost."""
        part, at = self._end(before)
        lost = first_of(after) - (end_of(before) if before else 0)
        pieces = list(self._pieces(part, at, after.record.part, after.record.offset))
        return pieces if sum(count for _, _, count in pieces) == lost else []

    def behind(self, last: Block | None) -> list[tuple[Path, int, int]]:
        """Return file, place and number of the samples behind a block."""
        part, at = self._end(last)
        return self._pieces(part, at, max(self._parts, default=0) + 1, 0)

    def _end(self, block: Block | None) -> tuple[int, int]:
        if block is None:
            return 1, 0
        record = block.record
        return record.part, record.offset + record.count * self._frame_bytes

    def _pieces(self, part: int, at: int, last: int, end: int) -> list[tuple[Path, int, int]]:
        found = []
        for number in sorted(n for n in self._parts if part <= n <= last):
            extent = self._parts[number]
            begin = at if number == part else 0
            stop = min(end, extent.size) if number == last else extent.size
            count = max(0, stop - begin) // self._frame_bytes
            if count:
                found.append((extent.path, begin, count))
        return found


class _Builder:
    """Puts one step behind the other, and counts samples."""

    def __init__(self, fill_limit: int, raw: RawFrames | None) -> None:
        self.steps: list[Step] = []
        self.spans: list[Span] = []
        self._fill_limit = fill_limit
        self._raw = raw
        self._last: Block | None = None
        self._counter, self._arrival_s = 0, math.nan
        self._new = 0

    def add(self, block: Block) -> None:
        """Add a block of the recording's own count, and before it what is lost."""
        expected = end_of(self._last) if self._last else 0
        if math.isnan(self._arrival_s):
            self._arrival_s = _finite(block.record.arrival_s)
        if lost := first_of(block) - expected:
            pieces = self._raw.between(self._last, block) if self._raw else []
            if pieces:
                self.spans.append(Span(expected, self._new, lost))
                self.add_raw(pieces)
            else:
                self._lose(expected, lost)
        self.spans.append(Span(first_of(block), self._new, block.record.count))
        self._keep(block)
        self._last = block

    def add_apart(self, blocks: Sequence[Block]) -> None:
        """Add blocks with a count of their own, which the markers do not go by."""
        expected = first_of(blocks[0])
        for block in blocks:
            if lost := first_of(block) - expected:
                self._lose(expected, lost, apart=True)
            self._keep(block)
            expected = end_of(block)

    def add_raw(self, pieces: Sequence[tuple[Path, int, int]]) -> None:
        """Add samples that no checksum speaks for."""
        for path, at, count in pieces:
            arrival_s = _finite(self._arrival_s)
            self.steps.append(Raw(path, at, count, self._counter + 1, arrival_s))
            self._new += count

    def _lose(self, first: int, lost: int, *, apart: bool = False) -> None:
        filled = lost <= self._fill_limit
        counter, arrival_s = self._counter + 1, _finite(self._arrival_s)
        self.steps.append(Lost(first, lost, filled, counter, arrival_s))
        if filled:
            if not apart:
                self.spans.append(Span(first, self._new, lost))
            self._new += lost

    def _keep(self, block: Block) -> None:
        record = self._cleaned(block)
        gap = bool(record.flags & BlockFlags.GAP_BEFORE) and not record.flags & BlockFlags.FILLED
        self.steps.append(Keep(block, record, gap or record.missing > 0))
        self._new += record.count
        self._counter, self._arrival_s = record.counter, record.arrival_s

    def _cleaned(self, block: Block) -> index.Record:
        """Return what is to be said of a block; of a loose one only what can be."""
        record = block.record
        flags = record.flags & ~_OWN_FLAGS
        if block.proof is not Proof.LOOSE:
            return replace(record, flags=flags)
        flags &= ~BlockFlags.FILLED
        return replace(
            record,
            flags=flags,
            arrival_s=max(_finite(record.arrival_s), _finite(self._arrival_s)),
            missing=record.missing if flags & BlockFlags.GAP_BEFORE else 0,
        )


def kept_samples(steps: Sequence[Step]) -> int:
    """Return how many intact samples the source sent; those that stand in are not counted."""
    kept = (step.block for step in steps if isinstance(step, Keep))
    return sum(block.record.count for block in kept if not is_filled(block))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _old(span: Span) -> int:
    return span.old


def _begin(blocks: Sequence[Block]) -> int:
    return first_of(blocks[0])
