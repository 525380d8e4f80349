"""Equal data messages in a row, found and checked all at once instead of one by one (pure).

From: `protocol.Parser`, which holds bytes with a data message in front.  To: the same.

Messages of one size stand one behind the other, so that their heads are the rows of a table:

    GUID 16 | u32 size | u32 type | u32 block number | u32 points | u32 markers | samples

The messages are a row while all of the head stays the same, except the number, which counts up by
one. Whatever is unusual ends the row; it is for `decode` to say what it means.
"""

from typing import Any

import numpy as np

from rigctl.rda import wire
from rigctl.rda.messages import DataRow

_HEAD_BYTES = wire.HEADER.size + wire.DATA.size
_WORDS = _HEAD_BYTES // 4
_NUMBER_WORD = wire.HEADER.size // 4
_FEWEST = 2
_FIRST_LOOK = 16
_GROWTH = 8


def find_row(
    buffer: memoryview, begin: int, channels: int, dtype: np.dtype[Any]
) -> tuple[DataRow | None, int]:
    """Return the row of data messages that begins here, and where it ends.

    None if it is not one of two at least, or if its messages are not wholly usual: they have
    markers, no points, or another size than their points take.

    Args:
        buffer: holds a whole header of a data message at `begin`.
        begin: where the first message begins.
        channels: of the last START; 0 where none counts.
        dtype: of the samples.
    """
    _, size, _ = wire.HEADER.unpack_from(buffer, begin)
    whole = (len(buffer) - begin) // size
    if whole < _FEWEST or not channels or size < _HEAD_BYTES:
        return None, begin
    block, points, markers = wire.DATA.unpack_from(buffer, begin + wire.HEADER.size)
    frame_bytes = channels * dtype.itemsize
    if markers or not points or size != _HEAD_BYTES + points * frame_bytes:
        return None, begin
    count = _count_equal(buffer, begin, size, whole)
    if count < _FEWEST:
        return None, begin
    shape = (count, points, channels)
    strides = (size, frame_bytes, dtype.itemsize)
    samples = np.ndarray(shape, dtype, buffer, begin + _HEAD_BYTES, strides)
    return DataRow(block, samples), begin + count * size


def _count_equal(buffer: memoryview, begin: int, size: int, whole: int) -> int:
    """Return how many of the messages that would fit here go on with the first one."""
    # Looks of growing length: a long one in front of every short row would cost its square.
    look = _FIRST_LOOK
    while True:
        count = _equal(buffer, begin, size, min(look, whole))
        if count < look or count == whole:
            return count
        look *= _GROWTH


def _equal(buffer: memoryview, begin: int, size: int, count: int) -> int:
    """Return how many of so many messages go on with the first one."""
    heads = np.ndarray((count, _WORDS), "<u4", buffer, begin, (size, 4)).copy()
    heads[:, _NUMBER_WORD] -= np.arange(count, dtype="<u4")  # wraps as the numbers themselves do
    equal = (heads == heads[0]).all(axis=1)
    return count if equal.all() else int(equal.argmin())
