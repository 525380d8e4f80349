"""When every sample of a stream was taken (pure).

From: the arrivals in a recording's index, the nominal rate, `recording.session_clock`.
To: `recording.opened`, exports.

A block arrives when its last sample has been taken, or later: what is late is the transport's and
the scheduler's doing, never negative (see also `streams.instants`).  So within a segment, where no
sample is lost that nothing stands in for, sample times are a line that no arrival lies below::

    stop(j), arrival(j)      of each append: the sample after its last one, and when it came
    line(stop) <= arrival    for all of them, and as near to them as can be: the edge of their
                             lower convex hull above their mean stop
    t(k) = line(k + 1)       when sample k was taken

That is how clock skew is told from network delay (Moon, Skelly, Towsley, INFOCOM 1999): one late
block, or a minute of late ones, moves nothing.  Every five minutes get a line of their own, joined
at their ends, because a crystal follows its temperature.  The line's slope is the measured rate;
of less than 30 s that is too rough, and the nominal rate is taken unless it misses by a second.

Kept are the corners of the line only; the time of any sample is interpolated when it is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from rigctl.blocks import BlockFlags
from rigctl.recording.index import Records
from rigctl.recording.session_clock import Seconds

_SPAN_S = 300.0
_LEAST_S = 30.0
_LEAST_BLOCKS = 8
_MISSED_S = 1.0
_MOST_POINTS = 512
"""Of so many groups of blocks the least late one each is looked at."""


class Times:
    """The times of a stream's samples in seconds since 1970, worked out when they are asked for.

    Indexed like an array of one dimension; ``np.asarray(times)`` makes one (8 bytes a sample).

    Args:
        count: how many samples there are.
        corners: positions of samples and their times since the origin, both rising.
        origin_unix_s: what the corners' times count from.
        period_s: the nominal time from one sample to the next.
    """

    def __init__(
        self, count: int, corners: tuple[Seconds, Seconds], origin_unix_s: float, period_s: float
    ) -> None:
        self._count = count
        self._positions, self._seconds = corners
        self.origin_unix_s = origin_unix_s
        self.period_s = period_s

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, wanted: int) -> float: ...
    @overload
    def __getitem__(self, wanted: slice | npt.NDArray[Any]) -> Seconds: ...
    def __getitem__(self, wanted: int | slice | npt.NDArray[Any]) -> float | Seconds:
        chosen: Any = wanted
        if isinstance(wanted, slice):
            chosen = np.arange(*wanted.indices(self._count))
        elif isinstance(wanted, int):
            chosen = range(self._count)[wanted]  # negative from the end, and refused beyond it
        found: float | Seconds = self.at(chosen)
        return found

    def __iter__(self) -> Iterator[float]:
        for start in range(0, self._count, 1 << 16):
            yield from self[start : start + (1 << 16)].tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:], dtype)

    def __repr__(self) -> str:
        if not self._count:
            return "<Times: none>"
        return f"<Times: {self._count} from {self[0]:.6f} to {self[self._count - 1]:.6f} s>"

    def at(self, position: Any) -> Any:
        """Return the time of a position, in samples and fractions, or of an array of them."""
        return self.origin_unix_s + self.since_origin(position)

    def since_origin(self, position: Any) -> Any:
        """Return the time of a position in seconds since the origin, to the last digit."""
        if not len(self._positions):
            return np.multiply(position, self.period_s)
        seconds = np.interp(position, self._positions, self._seconds)
        beyond = np.maximum(np.subtract(position, self._positions[-1]), 0)
        before = np.minimum(np.subtract(position, self._positions[0]), 0)
        return seconds + (beyond + before) * self.period_s

    def position_of(self, unix_s: Any) -> Any:
        """Return the position, in samples and fractions, of a time or an array of them.

        What lies outside the recording is at its first or last sample.
        """
        if not len(self._positions):
            return np.multiply(unix_s, 0.0)
        return np.interp(np.subtract(unix_s, self.origin_unix_s), self._seconds, self._positions)

    def strays_s(self, rate_hz: float) -> float:
        """Return how far they are, at the most, from counting on at a rate from the first."""
        if not len(self._positions):
            return 0.0
        uniform = self._seconds[0] + (self._positions - self._positions[0]) / rate_hz
        return float(np.abs(self._seconds - uniform).max())


@dataclass(frozen=True, slots=True)
class Segment:
    """Samples in a row of which none is lost that nothing stands in for."""

    start: int
    stop: int
    """The sample after the last."""
    records: Records
    """Their index records."""


def segments(records: Records) -> list[Segment]:
    """Return the segments of a recording, in their order."""
    if not len(records):
        return []
    flags = records["flags"]
    # What stands in for lost samples keeps the sample index in time.
    lost = (flags & (BlockFlags.GAP_BEFORE | BlockFlags.FILLED)) == BlockFlags.GAP_BEFORE
    lost[0] = False
    parts = np.split(records, np.flatnonzero(lost))
    ends = [(part[0]["first"], part[-1]["first"] + part[-1]["count"]) for part in parts]
    return [
        Segment(int(start), int(stop), part)
        for (start, stop), part in zip(ends, parts, strict=True)
        if stop > start
    ]


def corners(segment: Segment, arrivals_s: Seconds, rate_hz: Fraction) -> tuple[Seconds, Seconds]:
    """Return positions of samples of a segment, and when those were taken.

    Args:
        segment: with one sample at least.
        arrivals_s: when its appends arrived, on a clock that does not jump.
        rate_hz: samples per second, nominal.
    """
    sent = (segment.records["flags"] & BlockFlags.FILLED) == 0
    sent &= segment.records["count"] > 0
    chosen = sent if sent.any() else np.ones(len(sent), np.bool_)
    records = segment.records[chosen]
    stops = (records["first"] + records["count"]).astype(np.float64)
    edges, seconds = _joined_lines(stops, arrivals_s[chosen], float(1 / rate_hz), segment)
    return edges - 1, seconds


def _joined_lines(
    stops: Seconds, arrivals_s: Seconds, period_s: float, segment: Segment
) -> tuple[Seconds, Seconds]:
    """Return the corners of the line below the arrivals, by the sample after each."""
    spans = max(1, int((arrivals_s[-1] - arrivals_s[0]) // _SPAN_S))
    bounds = np.linspace(arrivals_s[0], arrivals_s[-1], spans + 1)[1:-1]
    cuts = np.searchsorted(arrivals_s, bounds)
    parts = [part for part in np.split(np.arange(len(stops)), cuts) if len(part)]
    lines = [_line_below(stops[part], arrivals_s[part], period_s) for part in parts]
    inner = [float(stops[part[0]]) for part in parts[1:]]
    edges = np.unique([float(segment.start + 1), *inner, float(segment.stop)])
    seconds = [_joined(edge, inner, lines) for edge in edges]
    return edges, np.array(seconds, np.float64)


def _joined(edge: float, inner: list[float], lines: list[tuple[float, float]]) -> float:
    """Return the time at an edge: where two lines meet, the middle between them."""
    number = int(np.searchsorted(inner, edge))
    meeting = lines[number : number + 2] if edge in inner else lines[number : number + 1]
    return float(np.mean([start_s + slope * edge for start_s, slope in meeting]))


def _line_below(stops: Seconds, arrivals_s: Seconds, period_s: float) -> tuple[float, float]:
    """Return the line (value at 0, slope) that touches the arrivals from below."""
    middle = float(stops.mean())
    late_s = arrivals_s - (stops - middle) * period_s  # flat, so that little is cancelled later
    tilt = _tilt(stops - middle, late_s)
    length = float(stops[-1] - stops[0])
    is_long = arrivals_s[-1] - arrivals_s[0] >= _LEAST_S
    if len(stops) < _LEAST_BLOCKS or not (is_long or abs(tilt) * length >= _MISSED_S):
        tilt = 0.0
    start_s = float((late_s - (stops - middle) * tilt).min())
    slope = period_s + tilt
    return start_s - slope * middle, slope


def _tilt(x: Seconds, y: Seconds) -> float:
    """Return the slope of the points' lower convex hull above 0, where their middle is."""
    hull: list[tuple[float, float]] = []
    for point in _lowest(x, y):
        while len(hull) > 1 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    for left, right in pairwise(hull):
        if left[0] <= 0 <= right[0]:
            return (right[1] - left[1]) / (right[0] - left[0])
    return 0.0


def _lowest(x: Seconds, y: Seconds) -> Iterator[tuple[float, float]]:
    """Yield the lowest point of each group of neighbours, no two above each other."""
    size = -(-len(x) // _MOST_POINTS)
    padded = np.pad(y, (0, -len(y) % size), constant_values=np.inf).reshape(-1, size)
    chosen = padded.argmin(axis=1) + np.arange(len(padded)) * size
    last = -np.inf
    for at, value in zip(x[chosen].tolist(), y[chosen].tolist(), strict=True):
        if at > last:
            yield at, value
        last = at


def _turns_down(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether the way from a over b to c bends downwards, so that b lies above what is below."""
    return (b[0] - a[0]) * (c[1] - a[1]) <= (b[1] - a[1]) * (c[0] - a[0])
