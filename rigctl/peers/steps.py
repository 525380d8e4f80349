"""What blocks in a ring mean for a recording (pure).

From: `peers.track`, which hands it the blocks of one batch.  To: the same, which carries out the
steps on a `recording.StreamWriter`.

Blocks that follow each other without a break become one append.  Lost blocks of known length, up
to a limit, are stood in for, so that sample index stays time; a longer loss, one of unknown length,
or a new run of the source begins a new segment, as the first block does.  Nothing is ever filled in
silently.

What is missing before a new run, such as the one that a lost connection leads to, is measured: by
the blocks' numbers where the source went on counting meanwhile, that is where their jump fits the
time that went by, else by that time itself.  It is counted, never filled in.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from rigctl.blocks import BlockFlags
from rigctl.streams import BlockRecord


@dataclass(frozen=True, slots=True)
class Append:
    """Write the samples [start, stop) of the ring."""

    start: int
    stop: int
    counter: int
    arrival_s: float


@dataclass(frozen=True, slots=True)
class Fill:
    """Stand in for lost samples."""

    count: int
    counter: int
    """The source's number of the first lost block."""
    arrival_s: float


class Measure(StrEnum):
    """How it is known how many samples are missing."""

    NUMBERS = "counted by block numbers"
    CLOCK = "measured by the clock"


@dataclass(frozen=True, slots=True)
class Segment:
    """Begin a new segment: what lies before is not continuous with what follows."""

    arrival_s: float
    """When the last sample of its first block arrived."""
    points: int
    """How many samples that block has."""
    missing: int
    """How many samples are lost, where that is known; else 0."""
    measure: Measure = Measure.NUMBERS


Step = Append | Fill | Segment

_UNEVEN_S = 0.5
"""By how much arrivals may be uneven: networks pause, and servers send what has piled up."""
_DRIFT = 1e-3
"""By how much the source's clock may differ from the rig's; real ones keep to a tenth of it."""


class Sequence:
    """Follows a ring's blocks across batches.

    Args:
        fill_limit: the longest loss, in samples, that is stood in for.
        rate_hz: samples per second, nominal.
        after: the last block of another ring with the same layout, which these blocks follow on.
    """

    def __init__(
        self, fill_limit: int, rate_hz: Fraction, after: BlockRecord | None = None
    ) -> None:
        self._fill_limit = fill_limit
        self._rate_hz = rate_hz
        self._last = after
        self._is_new_ring = True
        self._points = after.points if after else 0
        """How many samples a block of this source has: the last that had any, its pieces together.
        """
        self._skipped_samples = 0
        self._skipped_blocks = 0

    @property
    def last(self) -> BlockRecord | None:
        """The last block that was taken."""
        return self._last

    def overrun(self, samples: int, blocks: int) -> None:
        """The ring was lapped: so much was lost between this batch and the one before."""
        self._skipped_samples += samples
        self._skipped_blocks += blocks

    def follow(self, blocks: Iterable[BlockRecord]) -> None:
        """Take note of blocks that are recorded already: the next ones follow on them."""
        for block in blocks:
            self._is_new_ring = False
            self._follow(block)

    def steps(self, blocks: Iterable[BlockRecord]) -> list[Step]:
        """Return what to do, in order, with the blocks of a batch."""
        steps: list[Step] = []
        for block in blocks:
            steps += self._break_before(block)
            self._follow(block)
            if block.points:
                _extend(steps, block)
        return steps

    def _break_before(self, block: BlockRecord) -> list[Step]:
        last, skipped, lost_blocks = self._last, self._skipped_samples, self._lost_blocks(block)
        is_new_ring, self._is_new_ring = self._is_new_ring, False
        missing = self._missing(skipped, lost_blocks * (self._points or block.points))
        self._skipped_samples = self._skipped_blocks = 0
        if last is None:
            return [Segment(block.arrival_s, block.points, skipped)]
        if is_new_ring or block.run != last.run or block.flags & BlockFlags.NEW_RUN:
            return [self._break_between(last, block, skipped, missing)]
        if not (skipped or lost_blocks or block.flags & BlockFlags.GAP_BEFORE):
            return []
        if 0 < missing <= self._fill_limit:
            return [Fill(missing, last.counter + 1, block.arrival_s)]
        return [Segment(block.arrival_s, block.points, missing)]

    def _missing(self, skipped: int, lost: int) -> int:
        """Return how many samples are lost, of those skipped in the ring and those by number."""
        # Where nobody knows how many blocks were skipped, the numbers tell of them once more.
        is_known = self._skipped_blocks > 0 or not skipped
        return skipped + lost if is_known else max(skipped, lost)

    def _break_between(
        self, last: BlockRecord, block: BlockRecord, skipped: int, counted: int
    ) -> Segment:
        """Return the segment that a new run begins, with what is missing before it."""
        elapsed = self._samples_in(block.arrival_s - last.arrival_s) - block.points
        has_gone_on = last.counter < block.counter
        if has_gone_on and abs(elapsed - counted) <= self._tolerance(elapsed, block):
            return Segment(block.arrival_s, block.points, counted)
        # Less than a block is what arrivals are uneven by, and no loss.
        unsure = max(self._points, block.points)
        missing = max(elapsed if elapsed > unsure else 0, skipped)
        return Segment(block.arrival_s, block.points, missing, Measure.CLOCK)

    def _samples_in(self, duration_s: float) -> int:
        return round(duration_s * self._rate_hz) if math.isfinite(duration_s) else 0

    def _tolerance(self, elapsed: int, block: BlockRecord) -> float:
        """Return by how many samples a count may differ from the time that went by."""
        uneven = self._samples_in(_UNEVEN_S) + 2 * max(self._points, block.points)
        return uneven + abs(elapsed) * _DRIFT

    def _lost_blocks(self, block: BlockRecord) -> int:
        """Return how many blocks the source sent that never came into the ring."""
        if self._last is None:
            return 0
        # Pieces of one block have its number each, so that there may be more of them than numbers.
        return max(block.counter - self._last.counter - self._skipped_blocks - 1, 0)

    def _follow(self, block: BlockRecord) -> None:
        last, self._last = self._last, block
        is_piece = last is not None and (last.run, last.counter) == (block.run, block.counter)
        points = block.whole_points
        self._points = self._points + points if is_piece else points or self._points


def _extend(steps: list[Step], block: BlockRecord) -> None:
    """Add a block to the append that it follows, or begin another."""
    stop = block.first + block.points
    last = steps[-1] if steps else None
    if isinstance(last, Append) and last.stop == block.first:
        steps[-1] = Append(last.start, stop, last.counter, block.arrival_s)
    else:
        steps.append(Append(block.first, stop, block.counter, block.arrival_s))
