"""What blocks in a ring mean for a recording (pure).

From: `peers.track`, which hands it the blocks of one batch.  To: the same, which carries out the
steps on a `recording.StreamWriter`.

Blocks that follow each other without a break become one append.  Lost blocks of known length, up
to a limit, are stood in for, so that sample index stays time; a longer loss, or a new run of the
source, begins a new segment.  Nothing is ever filled in silently.
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
    arrival_s: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Begin a new segment: what lies before is not continuous with what follows."""

    arrival_s: float
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
        self._run: int | None = None
        self._counter = 0
        self._points = 0
        self._overrun = 0

    def overrun(self, samples: int, blocks: int) -> None:
        """The ring was lapped: so much was lost between this batch and the one before."""
        self._overrun += samples
        self._counter += blocks

    def steps(self, blocks: Iterable[BlockRecord]) -> list[Step]:
        """Return what to do, in order, with the blocks of a batch."""
        steps: list[Step] = []
        for block in blocks:
            steps += self._break_before(block)
            self._run, self._counter = block.run, block.counter
            if block.points:
                self._points = block.points
                _extend(steps, block)
        return steps

    def _break_before(self, block: BlockRecord) -> list[Step]:
        overrun, self._overrun = self._overrun, 0
        if self._run is None:
            return []
        if block.run != self._run or block.flags & BlockFlags.NEW_RUN:
            return [Segment(block.arrival_s, overrun)]
        lost_blocks = max(block.counter - self._counter - 1, 0)
        missing = overrun + lost_blocks * (self._points or block.points)
        if not missing:
            return []
        if missing <= self._fill_limit:
            return [Fill(missing, self._counter + 1, block.arrival_s)]
        return [Segment(block.arrival_s, missing)]


def _extend(steps: list[Step], block: BlockRecord) -> None:
    """Add a block to the append that it follows, or begin another."""
    stop = block.first + block.points
    last = steps[-1] if steps else None
    if isinstance(last, Append) and last.stop == block.first:
        steps[-1] = Append(last.start, stop, last.counter, block.arrival_s)
    else:
        steps.append(Append(block.first, stop, block.counter, block.arrival_s))
