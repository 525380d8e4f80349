"""Looking an instant up in a ring while its writer goes on.

From: a ring's files.  To: `RingReader`.
"""

import math
from bisect import bisect_left

from rigctl.errors import Overrun
from rigctl.streams.blocktable import Row
from rigctl.streams.instants import arrivals_of, locate
from rigctl.streams.segment import Segment

_AROUND = 1024
"""How many block records are looked at before the instant, and as many after it."""


def position_at(segment: Segment, instant_s: float) -> float | None:
    """Return the position of an instant; see `RingReader.position_at`."""
    head = segment.head
    if head.arrival_s < instant_s:  # before the first sample it is 0
        return None
    begin, rows = _around(segment, instant_s)
    arrivals = list(arrivals_of(rows, from_beginning=begin == 0))
    position = locate(arrivals, head.plan.info.rate_hz, instant_s)
    if position is not None:
        _check_still_there(segment, position, rows[0].first if begin else 0)
    return position


def _around(segment: Segment, instant_s: float) -> tuple[int, list[Row]]:
    """Return block records of the time around an instant, and the number of the first."""
    head, table = segment.head, segment.table
    while True:
        stop, samples = head.blocks, head.samples
        oldest = _oldest_block(segment, stop)
        numbers = range(oldest, stop)
        at = oldest + bisect_left(numbers, instant_s, key=lambda n: table.row(n).arrival_s)
        begin = max(at - _AROUND, oldest)
        rows = table.rows(begin, min(at + _AROUND, stop))
        # Else some, or all of them, were replaced while they were looked at.
        if head.tails.blocks <= begin and (begin < stop or not stop):
            # Blocks are published just before their samples are.
            return begin, [row for row in rows if row.stop <= samples]


def _oldest_block(segment: Segment, stop: int) -> int:
    """Return the number of the oldest record that is not about to be replaced."""
    oldest = segment.head.tails.blocks
    margin = segment.head.plan.block_slots >> 4 if oldest else 0
    return min(oldest + margin, stop)


def _check_still_there(segment: Segment, position: float, oldest_known: int) -> None:
    first, tail = math.ceil(position), segment.head.tail
    if first < oldest_known:
        tail = max(tail, oldest_known)
    if first < tail:
        raise Overrun(
            f"the sample of that instant is overwritten; the oldest is {tail}",
            tail=tail,
            missing=tail - max(first, 0),
        )
