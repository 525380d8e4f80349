"""Following a ring block by block, without losing or doubling anything silently.

From: a ring's files.  To: the recorder, and whoever must see every block.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from rigctl.blocks import BlockFlags, Marker, Samples
from rigctl.errors import NotYet, Overrun, RingClosed
from rigctl.streams.blocktable import (
    FIRST_SAMPLE_FLAGS,
    BlockRecord,
    BlockTable,
    Row,
    decode_markers,
)
from rigctl.streams.head import Counts
from rigctl.streams.segment import Segment

_MAX_BLOCKS = 1024
"""At most so many blocks in a batch, because blocks without samples count for no frame."""

_LONG_S = 3600.0
"""Waiting again costs nothing; a writer that closes or ends wakes at once."""

_Waiting = Callable[[Callable[[], bool], float], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Blocks in a row, with their samples and markers: a copy of its own."""

    start: int
    """The first sample, counted from the ring's beginning."""
    samples: Samples
    """Shape (points, *frame shape)."""
    blocks: tuple[BlockRecord, ...]
    markers: tuple[Marker, ...]
    """Positions are absolute, as `start`."""

    @property
    def stop(self) -> int:
        """The sample after the last."""
        return self.start + len(self.samples)

    def until(self, stop: int) -> "Batch":
        """Return what of it lies before a sample; the block that holds it is cut."""
        if stop >= self.stop:
            return self
        blocks = (b for b in self.blocks if b.first < stop)
        return Batch(
            self.start,
            self.samples[: max(stop - self.start, 0)],
            tuple(replace(b, points=min(b.points, stop - b.first)) for b in blocks),
            tuple(marker for marker in self.markers if marker.position < stop),
        )


class Cursor:
    """A place in a ring; use `RingReader.cursor`.

    Args:
        segment: the ring's files.
        wait: waits until a condition on the ring is true, see `RingReader.await_change`.
        start: the first sample to read; None for what comes from now on.

    Raises:
        NotYet: the first sample is in the future.
        Overrun: it is overwritten.
    """

    def __init__(self, segment: Segment, wait: _Waiting, start: int | None) -> None:
        self._segment = segment
        self._wait = wait
        self.lost = 0
        """Samples that were skipped."""
        self.lost_blocks = 0
        """Blocks that were skipped, those without samples included."""
        if start is None:
            self._number, self._position = _newest(segment)
        else:
            self._number, self._position = _block_at(segment, start), start

    @property
    def position(self) -> int:
        """The next sample to be read."""
        return self._position

    @property
    def lag(self) -> int:
        """How many published samples were not read yet."""
        return max(self._segment.head.samples - self._position, 0)

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is a block to read, be it one without samples; returns whether.

        Raises:
            RingClosed: all is read and the ring is closed.
            WriterDied: all is read and the writer is gone.
        """
        return self._wait(self._has_more, timeout_s)

    def read(self, max_frames: int) -> Batch | None:
        """Return the blocks that follow, None if there are none.

        Whole blocks only: as many as fit `max_frames`, and one at least. Only the first block
        of a cursor that started inside of it is cut: samples and markers before are left out.

        Raises:
            Overrun: some are overwritten; go on with `skip_to`, such as to the error's `tail`
                (or later: a fast writer may overwrite the oldest block again before it is read).
        """
        if not self._has_more():
            return None
        rows = self._rows(max_frames)
        batch = self._batch(rows, self._window(rows).copy())
        self._go_past(rows)
        return batch

    @contextlib.contextmanager
    def view(self, max_frames: int) -> Iterator[Batch | None]:
        """Show the blocks that follow as `read` does, but their samples where they are.

        They are valid inside only. The cursor goes past them at the end, if nothing was raised.

        Raises:
            Overrun: some are overwritten; at the end: they were, while they were shown.
        """
        if not self._has_more():
            yield None
            return
        rows = self._rows(max_frames)
        yield self._batch(rows, self._window(rows))
        self._check_still_there(rows)
        self._go_past(rows)

    def __iter__(self) -> Iterator[Batch]:
        """Yield what follows as it comes, until the ring is closed.

        What is overwritten before it is read is skipped and counted, see `lost`: the next batch
        starts behind the stop of the one before.

        Raises:
            WriterDied: all is read and the writer is gone.
        """
        with contextlib.suppress(RingClosed):
            while True:
                self.wait(_LONG_S)
                try:
                    batch = self.read(self._segment.head.plan.capacity // 4)
                except Overrun as overrun:
                    # The oldest might be gone again before it is read.
                    self.skip_to(overrun.tail + self._segment.head.plan.capacity // 8)
                    continue
                if batch is not None:
                    yield batch

    def skip_to(self, index: int) -> None:
        """Go on at the first whole block at or after a sample; counts what is `lost`."""
        number, position = _first_whole(self._segment, self._number, max(index, self._position))
        self.lost += position - self._position
        self.lost_blocks += number - self._number
        self._number, self._position = number, position

    def _has_more(self) -> bool:
        head, table = self._segment.head, self._segment.table
        # Blocks are published just before their samples are.
        return self._number < head.blocks and table.row(self._number).stop <= head.samples

    def _rows(self, max_frames: int) -> list[Row]:
        """Return the rows of the next batch, valid at this moment."""
        head = self._segment.head
        samples, stop = head.samples, min(head.blocks, self._number + _MAX_BLOCKS)
        rows = self._segment.table.rows(self._number, stop)
        limit = min(self._position + max_frames, samples)
        count = next((n for n, row in enumerate(rows) if n and row.stop > limit), len(rows))
        self._check_still_there(rows[:count])
        return rows[:count]

    def _window(self, rows: list[Row]) -> Samples:
        return self._segment.samples.window(self._position, rows[-1].stop)

    def _batch(self, rows: list[Row], samples: Samples) -> Batch:
        """Return blocks with what was found of their samples, all of it valid at this moment."""
        begin, end = rows[0].markers_begin, rows[-1].markers_end
        raw = self._segment.markers.window(begin, end).tobytes()
        self._check_still_there(rows)
        blobs = [raw[row.markers_begin - begin : row.markers_end - begin] for row in rows]
        start = self._position
        blocks = tuple(_record(row, start) for row in rows)
        return Batch(start, samples, blocks, tuple(_markers(rows, blobs, start)))

    def _go_past(self, rows: list[Row]) -> None:
        self._number += len(rows)
        self._position = rows[-1].stop

    def _check_still_there(self, rows: list[Row]) -> None:
        tails = self._segment.head.tails
        has_markers = rows[0].markers_begin < rows[-1].markers_end
        if (
            self._number < tails.blocks
            or self._position < tails.samples
            or (has_markers and rows[0].markers_begin < tails.markers)
        ):
            _, tail = _first_whole(self._segment, self._number, self._position)
            raise Overrun(
                f"sample {self._position} or its block is overwritten; go on at {tail}", tail=tail
            )


def _markers(rows: list[Row], blobs: list[bytes], start: int) -> Iterator[Marker]:
    for row, blob in zip(rows, blobs, strict=True):
        for marker in decode_markers(blob, row.first):
            if row.first >= start or marker.position >= start:
                yield marker


def _record(row: Row, start: int) -> BlockRecord:
    cut = max(start - row.first, 0)
    flags = BlockFlags(row.flags)
    return BlockRecord(
        counter=row.counter,
        first=row.first + cut,
        points=row.points - cut,
        arrival_s=row.arrival_s,
        flags=flags & ~FIRST_SAMPLE_FLAGS if cut else flags,
        run=row.run,
        size=row.points if cut else 0,
    )


def _newest(segment: Segment) -> tuple[int, int]:
    """Return the number of the block that will be next, and its first sample."""
    while True:
        number = segment.head.blocks
        position = segment.table.row(number - 1).stop if number else 0
        if number == 0 or number > segment.head.tails.blocks:
            return number, position


def _block_at(segment: Segment, start: int) -> int:
    """Return the number of the first block that ends after a sample, or lies on it without any.

    Raises:
        NotYet: the sample is in the future.
        Overrun: it, or its block's record, is overwritten.
    """
    head, table = segment.head, segment.table
    if start > head.samples:
        raise NotYet(f"sample {start} is not written yet; there are {head.samples}")
    oldest, stop = head.tails.blocks, head.blocks
    numbers = range(oldest, stop)
    number = oldest + bisect_left(numbers, start, key=lambda n: table.row(n).stop)
    if number < stop and table.row(number).points and table.row(number).stop == start:
        number += 1
    is_known = number == stop or table.row(number).first <= start
    tails = head.tails
    if start < tails.samples or number < tails.blocks or not is_known:
        _, tail = _first_whole(segment, 0, start)
        raise Overrun(f"sample {start} is overwritten; the oldest block is at {tail}", tail=tail)
    return number


def _first_whole(segment: Segment, number: int, index: int) -> tuple[int, int]:
    """Return the first block from `number` on that is all there, at `index` or later.

    If there is none: the block that will be next. With the number goes its first sample.
    """
    head, table = segment.head, segment.table
    while True:
        tails, stop = head.tails, head.blocks
        # The very oldest record would be gone before it is looked at.
        margin = head.plan.block_slots >> 4 if tails.blocks else 0
        low = min(max(number, tails.blocks + margin), stop)
        oldest = Counts(max(index, tails.samples), tails.markers, low)
        found = low + bisect_left(range(low, stop), True, key=partial(_is_from, table, oldest))
        place = _newest(segment) if found == stop else (found, table.row(found).first)
        # Records that were replaced while they were looked at may have led anywhere.
        if place[0] == found >= head.tails.blocks:
            return place


def _is_from(table: BlockTable, oldest: Counts, number: int) -> bool:
    row = table.row(number)
    return row.first >= oldest.samples and row.markers_begin >= oldest.markers
