"""What blocks in a ring mean for a recording (pure).

From: `peers.track`, which hands it the blocks of one batch.  To: the same, which carries out the
steps on a `recording.StreamWriter`.

Blocks that follow each other without a break become one append.  Lost blocks of known length, up
to a limit, are stood in for, so that sample index stays time; a longer loss, one of unknown length,
or a new run of the source begins a new segment, as the first block does.  Nothing is ever filled in
silently.
"""

from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Segment:
    """Begin a new segment: what lies before is not continuous with what follows."""

    arrival_s: float
    """When the last sample of its first block arrived."""
    points: int
    """How many samples that block has."""
    missing: int
    """How many samples are lost, where that is known; else 0."""


Step = Append | Fill | Segment


class Sequence:
    """Follows a ring's blocks across batches.

    Args:
        fill_limit: the longest loss, in samples, that is stood in for.
    """

    def __init__(self, fill_limit: int) -> None:
        self._fill_limit = fill_limit
        self._last: BlockRecord | None = None
        self._points = 0
        """How many samples a block of this source has: the last that had any, its pieces together.
        """
        self._skipped_samples = 0
        self._skipped_blocks = 0

    def overrun(self, samples: int, blocks: int) -> None:
        """The ring was lapped: so much was lost between this batch and the one before."""
        self._skipped_samples += samples
        self._skipped_blocks += blocks

    def follow(self, blocks: Iterable[BlockRecord]) -> None:
        """Take note of blocks that are recorded already: the next ones follow on them."""
        for block in blocks:
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
        self._skipped_samples = self._skipped_blocks = 0
        if last is None or block.run != last.run or block.flags & BlockFlags.NEW_RUN:
            return [Segment(block.arrival_s, block.points, skipped)]
        if not (skipped or lost_blocks or block.flags & BlockFlags.GAP_BEFORE):
            return []
        missing = skipped + lost_blocks * (self._points or block.points)
        if 0 < missing <= self._fill_limit:
            return [Fill(missing, last.counter + 1, block.arrival_s)]
        return [Segment(block.arrival_s, block.points, missing)]

    def _lost_blocks(self, block: BlockRecord) -> int:
        """Return how many blocks the source sent that never came into the ring."""
        if self._last is None:
            return 0
        # Pieces of one block have its number each, so that there may be more of them than numbers.
        return max(block.counter - self._last.counter - self._skipped_blocks - 1, 0)

    def _follow(self, block: BlockRecord) -> None:
        last, self._last = self._last, block
        is_piece = last is not None and (last.run, last.counter) == (block.run, block.counter)
        self._points = self._points + block.points if is_piece else block.points or self._points


def _extend(steps: list[Step], block: BlockRecord) -> None:
    """Add a block to the append that it follows, or begin another."""
    stop = block.first + block.points
    last = steps[-1] if steps else None
    if isinstance(last, Append) and last.stop == block.first:
        steps[-1] = Append(last.start, stop, last.counter, block.arrival_s)
    else:
        steps.append(Append(block.first, stop, block.counter, block.arrival_s))
