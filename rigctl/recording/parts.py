"""Arrays that lie in several files, read as one; nothing is loaded that is not asked for.

From: `reader`, the mapped parts of a recording.  To: exports, analysis.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt


class JoinedParts:
    """Arrays one behind the other along their first axis, read only.

    What lies in one part is a view of it; what lies in several is a copy. Whole numbers, slices,
    ``...``, tuples of these, and arrays of numbers or truth values are taken as an index;
    `numpy.asarray` loads all of it.

    Args:
        arrays: at least one; alike but for their lengths.
    """

    def __init__(self, arrays: Sequence[npt.NDArray[Any]]) -> None:
        self._arrays = tuple(arrays)
        *self._starts, self._length = accumulate(map(len, arrays), initial=0)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return (self._length, *self._arrays[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self._arrays[0].dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._arrays[0].ndim

    @property
    def size(self) -> int:
        """The number of values."""
        return sum(array.size for array in self._arrays)

    @property
    def nbytes(self) -> int:
        """The size of the values in bytes."""
        return sum(array.nbytes for array in self._arrays)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        for array in self._arrays:
            yield from array

    def __getitem__(self, key: Any) -> Any:
        rows, rest = self._split(key)
        if isinstance(rows, slice):
            return self._window(rows, rest)
        if np.ndim(rows):
            return self._gathered(np.asarray(rows))[(slice(None), *rest)]
        row = range(self._length)[rows]
        part = bisect_right(self._starts, row) - 1
        return self._arrays[part][(row - self._starts[part], *rest)]

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("samples of several parts cannot be one array without a copy")
        return np.concatenate(self._arrays).astype(dtype or self.dtype, copy=False)

    def __repr__(self) -> str:
        return f"<{len(self._arrays)} parts, shape {self.shape}, {self.dtype}>"

    def _split(self, key: Any) -> tuple[Any, tuple[Any, ...]]:
        """Return what a key says of the first axis and of the others."""
        keys = key if isinstance(key, tuple) else (key,)
        if any(item is None for item in keys):
            raise IndexError("a new axis needs an array: take a slice first")
        at = next((number for number, item in enumerate(keys) if item is Ellipsis), None)
        if at is not None:
            axes = (slice(None),) * max(self.ndim - len(keys) + 1, 0)
            keys = keys[:at] + axes + keys[at + 1 :]
        if len(keys) > self.ndim:
            raise IndexError(f"{len(keys)} indices for {self.ndim} axes")
        return (keys[0], keys[1:]) if keys else (slice(None), ())

    def _window(self, key: slice, rest: tuple[Any, ...]) -> npt.NDArray[Any]:
        wanted = range(*key.indices(self._length))
        upwards = wanted if wanted.step > 0 else wanted[::-1]
        pieces = []
        for start, array in zip(self._starts, self._arrays, strict=True):
            stop = start + len(array)
            rows = upwards[bisect_left(upwards, start) : bisect_left(upwards, stop)]
            if rows:
                place = slice(rows[0] - start, rows[-1] - start + 1, rows.step)
                pieces.append(array[(place, *rest)])
        if not pieces:
            return self._arrays[0][(slice(0, 0), *rest)]
        if wanted.step < 0:
            pieces = [piece[::-1] for piece in reversed(pieces)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _gathered(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the rows with these numbers, or those that are true."""
        if rows.dtype == np.bool_:
            if rows.shape != (self._length,):
                raise IndexError(f"{rows.shape} truth values for {self._length} samples")
            rows = np.flatnonzero(rows)
        elif rows.dtype.kind not in "iu" and rows.size:
            raise IndexError(f"an array of {rows.dtype} is no index")
        rows = np.where(rows < 0, rows + self._length, rows).astype(np.int64)
        if rows.size and not (rows.min() >= 0 and rows.max() < self._length):
            raise IndexError(f"an index is out of bounds for {self._length} samples")
        taken = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        for start, array in zip(self._starts, self._arrays, strict=True):
            here = (rows >= start) & (rows < start + len(array))
            taken[here] = array[rows[here] - start]
        return taken


SampleArray = npt.NDArray[Any] | JoinedParts
"""Samples that may lie in several files."""
