"""The ring as scripts and notebooks use it: by name, with indices as of one endless array.

From: a ring's name.  To: users' code; rigctl's own processes take `RingWriter`, `RingReader`.

    with Ring.create("camera", "uint8", 300, shape=(480, 640), rate_hz=30) as ring:
        ring.append(image[None])

    with Ring.attach("camera") as ring:                  # in any other process
        last_second = ring[-30:]
        corner = ring[ring.head - 1, :10, :10]
        for batch in ring.cursor():
            ...
"""

import operator
from fractions import Fraction
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from rigctl.blocks import Samples, StreamInfo
from rigctl.errors import NotYet, RingError
from rigctl.streams.reader import RingReader
from rigctl.streams.writer import RingWriter

_Rows = slice | SupportsIndex


class Ring(RingReader):
    """One reader of a ring; `attach` in any process, `create` for its only writer.

    Indices count samples from the ring's beginning and never wrap: `tail` is the oldest that is
    there, `head` the one that comes next. Negative ones count from `head`.
    """

    @staticmethod
    def create(
        name: str,
        layout: StreamInfo | npt.DTypeLike,
        frames: int,
        *,
        shape: tuple[int, ...] = (),
        rate_hz: float | Fraction = 1,
    ) -> RingWriter:
        """Create a ring; one of the same name whose writer is gone is replaced.

        Args:
            name: by which readers find it: letters, digits, ``.``, ``_``, ``-``.
            layout: of its samples; or their dtype, any without objects, and then also:
            frames: how many it holds at least.
            shape: of one frame: ``(channels,)``, ``(height, width)``, nothing for events.
            rate_hz: frames per second, nominal.

        Raises:
            RingError: a ring of that name is in use, there is no room, or such samples cannot
                be shared.
        """
        if not isinstance(layout, StreamInfo):
            rate = Fraction(rate_hz).limit_denominator(10**6)
            layout = StreamInfo(_name_of(np.dtype(layout)), shape, rate)
        return RingWriter.create(name, layout, frames)

    def get(
        self,
        start: int | None = None,
        stop: int | None = None,
        *,
        copy: bool = True,
        out: Samples | None = None,
    ) -> Samples:
        """Return samples [start, stop), by default all that are there.

        Args:
            start: the first; negative from `head`.
            stop: the one after the last; negative from `head`.
            copy: False for their place in the ring: ask `holds(start)` when done with it.
            out: where to copy them, of their shape.

        Raises:
            NotYet: some are not written yet.
            Overrun: some are overwritten.
        """
        first, end = self._span(slice(start, stop))
        if out is None:
            return self.read(first, end) if copy else self.window(first, end)
        with self.view(first, end) as samples:
            if out.shape != samples.shape:
                raise ValueError(f"samples of shape {samples.shape} do not fit {out.shape}")
            np.copyto(out, samples)
        return out

    def wait_for(self, index: int, timeout: float) -> bool:
        """Wait until that sample is there, so many seconds at most; returns whether it is.

        Raises:
            RingClosed: it will never be: the ring is closed.
            WriterDied: it will never be: the writer's process is gone.
        """
        return self.wait(index, timeout)

    def __getitem__(self, key: _Rows | tuple[Any, ...]) -> Samples:
        """Return a checked copy of samples, or of one, and of what is chosen of each.

        Raises:
            NotYet: some are not written yet, or from `head` back there are not so many.
            Overrun: some are overwritten.
        """
        rows, *rest = key if isinstance(key, tuple) else (key,)
        first, end = self._span(rows)
        chosen = slice(None, None, rows.step) if isinstance(rows, slice) else 0
        with self.view(first, end) as samples:
            return np.array(samples[(chosen, *rest)])

    def _span(self, rows: _Rows) -> tuple[int, int]:
        """Return the range that an index or a slice means at this moment."""
        head = self.head
        if not isinstance(rows, slice):
            first = _counted(operator.index(rows), head)
            return first, first + 1
        if rows.step is not None and rows.step < 1:
            raise ValueError(f"a ring is read forwards, not in steps of {rows.step}")
        first = self.tail if rows.start is None else rows.start
        end = head if rows.stop is None else rows.stop
        return _counted(first, head), _counted(end, head)


def _counted(index: int, head: int) -> int:
    """Return an index from the ring's beginning."""
    if index + head < 0:
        raise NotYet(f"sample {index} from the newest is before the first; there are {head}")
    return index + head if index < 0 else index


def _name_of(dtype: np.dtype[Any]) -> str:
    """Return what `StreamInfo.numpy_dtype` makes the dtype of."""
    if dtype.hasobject or dtype.subdtype or not dtype.itemsize:
        raise RingError(f"frames of {dtype} cannot be shared: give a plain dtype and a shape")
    return dtype.name if dtype.kind in "biufc" else str(dtype.newbyteorder("<"))
