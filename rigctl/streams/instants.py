"""Where an instant lies among samples that arrived in blocks (pure).

From: block records of a ring, or index records of a recording.  To: `lookup`, `peers`.

A block arrives when its last sample has been taken, or later: what is late is the transport's and
the scheduler's doing, and never negative.  So within a stretch without a break, at the nominal
rate, the line that touches the arrivals from below tells when each sample was taken::

    e = min(arrival - stop / rate)      over the blocks around the instant
    t(k) = e + (k + 1) / rate           when sample k was taken, by the arrivals' clock
    p = (instant - e) * rate - 1        the position of the instant; ceil(p) is the first sample
                                        at or after it

It is exact if one of those blocks came without delay.  A rate that is off by 50 ppm moves it by
250 microseconds at the most, because blocks of at most five seconds to either side are asked.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from rigctl.blocks import BlockFlags
from rigctl.streams.blocktable import Row

_AROUND_S = 5.0
_LEAST_BLOCKS = 8
"""So many to either side are asked in any case, for blocks that come slower than that."""


class Arrival(NamedTuple):
    """Samples that arrived together."""

    first: int
    stop: int
    """The sample after the last; may be `first`."""
    arrival_s: float
    begins: bool
    """Whether they do not follow on what came before: a new run, or samples between are lost."""


def locate(arrivals: Sequence[Arrival], rate_hz: Fraction, instant_s: float) -> float | None:
    """Return the position of an instant, in samples and fractions; None if it is not reached.

    One that lies between two stretches is at the first sample of the later; one that lies before
    all that is known is counted back from there, and so smaller than the first sample.

    Args:
        arrivals: in their order.
        rate_hz: samples per second, nominal.
        instant_s: by the clock of the arrivals.
    """
    at = bisect_left(arrivals, instant_s, key=_arrival_s)  # samples before that are older
    while at < len(arrivals):
        begin, end = _stretch(arrivals, at)
        first, stop = arrivals[begin].first, arrivals[end - 1].stop
        near = _near(arrivals, at, instant_s)
        asked = arrivals[max(begin, near.start) : min(end, near.stop)]
        position = _position(asked, rate_hz, instant_s)
        if first < stop and position <= stop - 1:
            return max(position, float(first)) if arrivals[begin].begins else position
        at = end
    return None


def taken_s(arrivals: Sequence[Arrival], rate_hz: Fraction) -> float:
    """Return when the last sample was taken, by the clock of the arrivals; there must be one."""
    last = arrivals[-1]
    begin, end = _stretch(arrivals, len(arrivals) - 1)
    near = _near(arrivals, end, last.arrival_s)
    position = _position(arrivals[max(begin, near.start) : end], rate_hz, last.arrival_s)
    return last.arrival_s - (position - (last.stop - 1)) / float(rate_hz)


def arrivals_of(rows: Iterable[Row], *, from_beginning: bool) -> Iterator[Arrival]:
    """Yield what block records tell.

    Args:
        rows: in their order, none left out.
        from_beginning: whether no block came before the first.
    """
    last: Row | None = None
    for row in rows:
        begins = from_beginning if last is None else _is_break(last, row)
        yield Arrival(row.first, row.stop, row.arrival_s, begins)
        last = row


def _arrival_s(arrival: Arrival) -> float:
    return arrival.arrival_s


def _is_break(last: Row, row: Row) -> bool:
    # Pieces of one block have its number each.
    follows = row.run == last.run and 0 <= row.counter - last.counter <= 1
    return not follows or bool(row.flags & (BlockFlags.GAP_BEFORE | BlockFlags.NEW_RUN))


def _stretch(arrivals: Sequence[Arrival], at: int) -> tuple[int, int]:
    """Return begin and end of the arrivals that follow on each other around one of them."""
    begin, end = at, at + 1
    while begin > 0 and not arrivals[begin].begins:
        begin -= 1
    while end < len(arrivals) and not arrivals[end].begins:
        end += 1
    return begin, end


def _near(arrivals: Sequence[Arrival], at: int, instant_s: float) -> range:
    """Return which arrivals are near enough to an instant to be asked."""
    low = bisect_left(arrivals, instant_s - _AROUND_S, key=_arrival_s)
    high = bisect_right(arrivals, instant_s + _AROUND_S, key=_arrival_s)
    return range(min(low, max(at - _LEAST_BLOCKS, 0)), max(high, at + _LEAST_BLOCKS))


def _position(arrivals: Iterable[Arrival], rate_hz: Fraction, instant_s: float) -> float:
    # From the instant on, because times since the computer was started have few digits to spare.
    latest = min((a.arrival_s - instant_s) * float(rate_hz) - a.stop for a in arrivals)
    return -latest - 1
