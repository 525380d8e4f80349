"""What stands in for samples that are lost (pure).

From: the layout of a stream.  To: `stream_writer`.
"""

from collections.abc import Iterator

import numpy as np

from rigctl.blocks import Samples, StreamInfo

_PIECE_BYTES = 1 << 20


def filling(info: StreamInfo, count: int) -> Iterator[Samples]:
    """Yield stand-ins for `count` samples in pieces of bounded size: zeros, NaN for floats."""
    value = np.nan if info.numpy_dtype.kind in "fc" else 0
    piece = min(count, max(1, _PIECE_BYTES // info.frame_bytes))
    samples = np.full((piece, *info.shape), value, info.numpy_dtype)
    for start in range(0, count, piece):
        yield samples[: count - start]
