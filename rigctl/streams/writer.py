"""The writing end of a ring.

From: a device's blocks.  To: any number of readers, none of which can hold it up.
"""

import contextlib
import errno
import logging
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from rigctl.blocks import Block, BlockFlags, Burst, Marker, Samples, StreamInfo
from rigctl.errors import RingClosed, RingError
from rigctl.streams import folders, layout
from rigctl.streams.blocktable import Row, encode_markers
from rigctl.streams.layout import Plan, make_plan
from rigctl.streams.pieces import pieces
from rigctl.streams.segment import Segment
from rigctl.streams.wakeup import Bells

logger = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_ROW_BYTES, _pack_row = layout.BLOCK.size, layout.BLOCK_OF_A_KIND.pack_into
# Under names of this module, because they are looked up for every block.
_SAMPLES_BEGIN_AT, _SAMPLES_END_AT = layout.SAMPLES_BEGIN_AT, layout.SAMPLES_END_AT
_BLOCKS_BEGIN_AT, _BLOCKS_END_AT = layout.BLOCKS_BEGIN_AT, layout.BLOCKS_END_AT
_ARRIVAL_AT, _NO_FLAGS = layout.ARRIVAL_AT, BlockFlags.NONE


class RingWriter:
    """One ring and its only writer; use `create`, and one thread.

    As a context it closes and removes the ring at the end.

    Args:
        name: the ring's.
        folder: the ring's.
        segment: its files.
    """

    def __init__(self, name: str, folder: Path, segment: Segment) -> None:
        plan = segment.head.plan
        self.name = name
        self.info = plan.info
        self.capacity = plan.capacity
        self._folder = folder
        self._segment = segment
        self._bells = Bells(folder, segment.registry)
        self._dtype = plan.info.numpy_dtype
        # A block that would replace more than half of the ring leaves readers no time.
        self._largest = max(plan.capacity // 2, 1)
        self._most_blocks = plan.block_slots // 2
        self._samples = self._markers = self._blocks = self._run = 0
        self._flags = _NO_FLAGS
        # What `write` needs for a block that is like the one before: shape, dtype, rest of its row.
        self._shape: tuple[int, ...] = ()
        self._kind: np.dtype[Any] | None = None
        self._points = self._size = 0
        self._likeness = b""
        self._words, self._times = segment.head.words, segment.head.times
        self._memory: Any = segment.samples.memory  # typing knows no buffers before Python 3.12
        self._rows, self._rows_mask = segment.table.memory, plan.block_slots * _ROW_BYTES - 1
        self._readers = segment.registry.word
        self._quiet: int | None = None
        self._frame_bytes = plan.info.frame_bytes
        self._is_quick = plan.mirrored and not plan.locked

    @classmethod
    def create(
        cls, name: str, info: StreamInfo, frames: int, *, mirrored: bool | None = None
    ) -> "RingWriter":
        """Create a ring; one of the same name whose writer is gone is replaced.

        Args:
            name: by which readers find it: letters, digits, ``.``, ``_``, ``-``.
            info: the layout of its samples.
            frames: how many it holds at least.
            mirrored: map the memory twice, or write twice; None takes what the system offers.

        Raises:
            RingError: a ring of that name is in use, or there is no room for it.
        """
        plan = make_plan(info, frames, mirrored)
        try:
            return cls._create(name, plan)
        except OSError as error:
            if mirrored is None and plan.mirrored and error.errno not in _NO_ROOM:
                logger.warning("ring %s: written twice, because it %s", name, error)
                return cls.create(name, info, frames, mirrored=False)
            megabytes = plan.capacity * info.frame_bytes / 1e6
            raise RingError(
                f"no ring {name!r} of {megabytes:.1f} MB in {folders.base_folder()}: {error}"
            ) from error

    @classmethod
    def _create(cls, name: str, plan: Plan) -> "RingWriter":
        staged = folders.stage(name)
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, staged, ignore_errors=True)
            segment = Segment.create(staged, plan)
            undo.callback(segment.close)
            writer = cls(name, folders.claim(staged, name), segment)
            undo.pop_all()
        writer.heartbeat()
        return writer

    def __enter__(self) -> "RingWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, traceback: Any) -> None:
        self.close("" if error is None else f"{type(error).__name__}: {error}")
        self.unlink()

    @property
    def head(self) -> int:
        """How many samples were written."""
        return self._samples

    @property
    def run(self) -> int:
        """How many runs have begun."""
        return self._run

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._segment.head.closed

    def begin_run(self) -> None:
        """Begin a new run: the next block is marked as its first."""
        self._run += 1
        self._flags = BlockFlags.NEW_RUN
        self._kind = None
        self._segment.head.run = self._run

    def write(self, block: Block) -> None:
        """Publish a block: its samples, its record and its markers.

        One of more than half the ring is published in pieces, each with the block's counter.

        Raises:
            RingError: its samples have another layout, or its markers are larger than their ring.
            RingClosed: the ring is closed.
        """
        samples = block.samples
        is_other = samples.shape != self._shape or samples.dtype is not self._kind
        is_special = is_other or block.markers or block.flags is not _NO_FLAGS
        if is_special and self._write_any(block):
            return
        # The same as `_publish`, spelt out: it takes half the time (see benchmarks.ring).
        words, points, first = self._words, self._points, self._samples
        words[_SAMPLES_BEGIN_AT] = stop = first + points
        words[_BLOCKS_BEGIN_AT] = number = self._blocks + 1
        begin = first % self.capacity * self._frame_bytes
        try:  # bytes of a mapping, because numpy takes twice as long to begin (0.3 of 0.15 us)
            self._memory[begin : begin + self._size] = samples
        except ValueError:  # samples that do not lie in a row
            self._segment.samples.put(first, samples)
        self._times[_ARRIVAL_AT] = arrival_s = block.arrival_s
        place = (number - 1) * _ROW_BYTES & self._rows_mask
        _pack_row(self._rows, place, block.counter, first, points, arrival_s, self._likeness)
        self._blocks = words[_BLOCKS_END_AT] = number
        self._samples = words[_SAMPLES_END_AT] = stop
        if self._readers[0] != self._quiet:
            self._quiet = self._bells.ring()

    def append(self, samples: Samples, markers: tuple[Marker, ...] = ()) -> None:
        """Publish samples of now, shape (points, *frame shape); see `write`.

        Args:
            samples: of the ring's dtype.
            markers: positions count from the first of these samples.
        """
        self.write(Block(samples, self._blocks, time.monotonic(), markers))

    def write_burst(self, burst: Burst) -> None:
        """Publish many equal blocks, as one `write` for each of them would.

        Raises:
            RingError: their samples have another layout.
            RingClosed: the ring is closed.
        """
        samples = burst.samples
        self._check(samples.dtype, samples.shape[2:])
        blocks, points = samples.shape[:2]
        if blocks == 1 or not 0 < points <= self._largest:
            self._write_singly(burst)
            return
        at_once = min(self._largest // points, self._most_blocks)
        for begin in range(0, blocks, at_once):
            self._publish_burst(burst, begin, min(begin + at_once, blocks))

    def heartbeat(self) -> None:
        """Show that the writer works although there is nothing to write."""
        self._segment.head.heartbeat_s = time.monotonic()

    def close(self, reason: str = "") -> None:
        """Tell readers that nothing will follow, and why; what is written stays readable."""
        if self.closed:
            return
        self._kind = None
        self._segment.head.close_ring(reason)
        self._bells.ring()
        self._bells.close()

    def unlink(self) -> None:
        """Remove the ring, closing it first; readers keep what they have mapped."""
        self.close()
        folders.remove(self._folder)
        self._segment.close()

    def _check(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Refuse frames of another dtype or shape, and all when the ring is closed."""
        if dtype != self._dtype or shape != self.info.shape:
            raise RingError(
                f"the ring {self.name!r} holds {self.info.dtype} frames of {self.info.shape}, "
                f"not {dtype} of {shape}"
            )
        if self.closed:
            raise RingClosed(f"the ring {self.name!r} is closed")

    def _write_any(self, block: Block) -> bool:
        """Publish a block unless it is plain and left to `write`; returns whether it did."""
        samples = block.samples
        self._check(samples.dtype, samples.shape[1:])
        points = len(samples)
        is_plain = not (self._flags or block.flags or block.markers)
        if self._is_quick and is_plain and 0 < points <= self._largest:
            self._shape, self._kind = samples.shape, samples.dtype
            self._points, self._size = points, samples.nbytes
            self._likeness = layout.LIKENESS.pack(0, self._run, self._markers, self._markers)
            return False
        if points <= self._largest:
            self._publish(block, encode_markers(block.markers))
        else:
            for piece in pieces(block, self._largest):
                self._publish(piece, encode_markers(piece.markers))
        return True

    def _write_singly(self, burst: Burst) -> None:
        flags = burst.flags
        for number, samples in enumerate(burst.samples):
            self.write(Block(samples, burst.counter + number, burst.arrival_s, (), flags))
            flags = _NO_FLAGS

    def _publish(self, block: Block, markers: bytes) -> None:
        """Announce, write, publish, wake: the order is the protocol."""
        segment, points = self._segment, len(block.samples)
        if len(markers) > segment.markers.capacity:
            raise RingError(
                f"the markers of block {block.counter} take {len(markers)} bytes; "
                f"the ring holds {segment.markers.capacity}"
            )
        flags = block.flags | self._flags
        row = self._row(block.counter, points, block.arrival_s, flags, len(markers))
        segment.head.announce(row.stop, row.markers_end, self._blocks + 1)
        if points:
            segment.samples.put(row.first, block.samples)
            segment.head.arrival_s = block.arrival_s
        if markers:
            segment.markers.put(row.markers_begin, np.frombuffer(markers, np.uint8))
        segment.table.put(self._blocks, row)
        self._markers, self._kind = row.markers_end, None
        self._show(row.stop, self._blocks + 1)

    def _publish_burst(self, burst: Burst, begin: int, end: int) -> None:
        """Announce, write, publish and wake once for many blocks."""
        segment, samples, blocks = self._segment, burst.samples[begin:end], end - begin
        points = samples.shape[1]
        flags = self._flags if begin else burst.flags | self._flags
        row = self._row(burst.counter + begin, points, burst.arrival_s, flags)
        stop = row.first + blocks * points
        segment.head.announce(stop, self._markers, self._blocks + blocks)
        window = segment.samples.window(row.first, stop)
        np.copyto(window.reshape(samples.shape), samples)
        segment.samples.repeat(row.first, blocks * points)
        segment.head.arrival_s = burst.arrival_s
        segment.table.put_many(self._blocks, blocks, row)
        self._show(stop, self._blocks + blocks)

    def _show(self, samples: int, blocks: int) -> None:
        self._samples, self._blocks = samples, blocks
        self._flags = _NO_FLAGS
        self._segment.head.publish(samples, blocks)
        self.heartbeat()
        self._quiet = self._bells.ring()

    def _row(
        self, counter: int, points: int, arrival_s: float, flags: int, marker_bytes: int = 0
    ) -> Row:
        end = self._markers + marker_bytes
        return Row(counter, self._samples, points, arrival_s, flags, self._run, self._markers, end)
