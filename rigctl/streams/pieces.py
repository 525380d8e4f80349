"""Cutting a block that is too large for its ring (pure).

From: a block.  To: `RingWriter`, which publishes the pieces one after the other.
"""

from collections.abc import Iterator
from dataclasses import replace

from rigctl.blocks import Block, Marker
from rigctl.streams.blocktable import FIRST_SAMPLE_FLAGS


def pieces(block: Block, largest: int) -> Iterator[Block]:
    """Yield a block's samples in blocks of at most `largest`, each with the block's counter."""
    points = len(block.samples)
    for start in range(0, points, largest):
        stop = min(start + largest, points)
        yield replace(
            block,
            samples=block.samples[start:stop],
            markers=_markers_in(block, start, stop),
            flags=block.flags if start == 0 else block.flags & ~FIRST_SAMPLE_FLAGS,
        )


def _markers_in(block: Block, start: int, stop: int) -> tuple[Marker, ...]:
    """Return the markers of a piece; those outside the block go with its first or last sample."""
    last = len(block.samples) - 1
    return tuple(
        replace(marker, position=marker.position - start)
        for marker in block.markers
        if start <= min(max(marker.position, 0), last) < stop
    )
