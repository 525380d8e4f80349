"""Whether samples come at the rate that their source has named (pure).

From: `daemon.streams`, which tells twice a second how far a ring has got.  To: `daemon.health`.

A block comes when its last sample was taken, or later.  So at the right rate the delay of what has
come last, counted on from any earlier moment, is never below 0 for long, and comes back to it::

    delay = arrival - samples / rate        rises where too few come, falls where too many do

The delays of four stretches of time are compared, each by its least, for one span T after another::

          earlier     |    third    |    third    |  sixth  | newest
    up to 3 s more   5/6           1/2           1/6        0       of T ago

A rate is wrong if the delay has changed from the first to the last by more than the tolerance of
that time and what delivery may vary, and has changed that way from each to the next.  So it is
neither jitter, which comes and goes, nor a hiccup that is caught up with, after which the delay is
what it was, nor a loss of samples, which is one step.  The shortest span finds a large error within
two seconds, a longer one a smaller error later::

    T             1.5 s    3 s    6 s    12 s    24 s    48 s
    found from     8.4 %   5.2 %  3.6 %   2.8 %   2.4 %   2.2 %   wrong

A longer span remembers what is over: where a shorter one would see it by far and does not, it is.
So an error of a tenth is forgotten within twelve seconds after it, one of a half within five.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

TOLERANCE = 0.02
"""By which part a rate may be wrong."""

JITTER_S = 0.08
"""By how much delivery may vary without being taken for a wrong rate."""

SPANS_S = (1.5, 3.0, 6.0, 12.0, 24.0, 48.0)

_EARLIER_S = 3.0
"""Of what lies before a span: a hiccup that is caught up with is no longer than that."""

_PAUSE_S = 1.5
"""After such a silence, which is told by itself, it is begun anew."""

_QUICK_S = 0.6
"""Blocks that come at least so often need no patience beyond that of the jitter."""

_PART = 1 / 12
"""The least part of the whole change that each stretch has of it."""

_MEASURED_S = 3.0
_PLACES = 128


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a stream had got, and when the last of that came."""

    arrival_s: float
    samples: int


class _Seen(NamedTuple):
    """A place as it looks from the newest one, where age and delay are 0."""

    delay_s: float
    age_s: float


@dataclass(frozen=True, slots=True)
class _Change:
    """How the delay has changed over a span."""

    over_s: float
    delay_s: float
    allowed_s: float
    is_wrong: bool
    """Whether it is by more than is allowed, and steadily."""

    def denies(self, longer: "_Change") -> bool:
        """Whether what a longer span has found would show here by far, and does not."""
        expected_s = abs(longer.delay_s) / longer.over_s * self.over_s
        return abs(self.delay_s) <= self.allowed_s and expected_s > 2 * self.allowed_s


class Tempo:
    """Follows one stream.

    Args:
        rate_hz: what its source has named.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._places: deque[_Place] = deque(maxlen=_PLACES)
        self._wrong_hz: float | None = None

    @property
    def wrong_hz(self) -> float | None:
        """At what rate samples come; None where that is the right one, or not known to be wrong."""
        return self._wrong_hz

    def look(self, arrival_s: float, samples: int) -> None:
        """Take how far the stream has got.

        Args:
            arrival_s: when the last samples came.
            samples: how many have come until then.
        """
        last = self._places[-1] if self._places else None
        if last and arrival_s - last.arrival_s > max(_PAUSE_S, 3 / self._rate_hz):
            self._places.clear()
        elif last and (samples <= last.samples or arrival_s <= last.arrival_s):
            return
        self._places.append(_Place(arrival_s, samples))
        self._wrong_hz = self._judged()

    def measured_hz(self, now_s: float) -> float | None:
        """Return the rate over the last seconds; None before there is anything to measure."""
        recent = [place for place in self._places if now_s - place.arrival_s <= _MEASURED_S]
        recent = recent if len(recent) > 1 else list(self._places)[-2:]
        if len(recent) < 2:
            return None
        first, last = recent[0], recent[-1]
        spacing_s = (last.arrival_s - first.arrival_s) / (len(recent) - 1)
        is_late = now_s - last.arrival_s > max(2 * spacing_s, _PAUSE_S)
        end_s = now_s if is_late else last.arrival_s
        return (last.samples - first.samples) / (end_s - first.arrival_s)

    def _judged(self) -> float | None:
        shorter: list[_Change] = []
        for span_s in SPANS_S:
            found = self._change(span_s)
            if found and found.is_wrong and not any(one.denies(found) for one in shorter):
                return self._rate_over(span_s)
            if found:
                shorter.append(found)
        return None

    def _change(self, span_s: float) -> _Change | None:
        """Return how the delay has changed over a span; None where one of its parts is empty."""
        over_s = span_s * 5 / 6
        edges = (over_s + _EARLIER_S, over_s, span_s / 2, span_s / 6, -1.0)
        parts = [self._seen(oldest, newest) for oldest, newest in pairwise(edges)]
        if not all(parts):
            return None
        earlier, newest = parts[0], parts[-1]
        levels = [min(one.delay_s for one in part) for part in parts]
        change_s, jitter_s = levels[-1] - levels[0], JITTER_S + self._patience_s()
        allowed_s = min(one.age_s for one in earlier) * TOLERANCE + jitter_s
        # At a rate that is allowed all of these pairs agree, however late each may have come.
        rise_s = min(map(_with_drift, newest)) - min(map(_with_drift, earlier))
        is_wrong = _is_steady(levels) and (rise_s > jitter_s or change_s < -allowed_s)
        return _Change(over_s, change_s, allowed_s, is_wrong)

    def _seen(self, oldest_s: float, newest_s: float) -> list[_Seen]:
        """Return the places whose age lies between."""
        last = self._places[-1]
        found = []
        for place in self._places:
            age_s = last.arrival_s - place.arrival_s
            if newest_s < age_s <= oldest_s:
                samples = last.samples - place.samples
                found.append(_Seen(samples / self._rate_hz - age_s, age_s))
        return found

    def _patience_s(self) -> float:
        """Return by how much more the delivery of large blocks, and of slow streams, may vary."""
        first, last = self._places[0], self._places[-1]
        spacing_s = (last.arrival_s - first.arrival_s) / max(len(self._places) - 1, 1)
        return max(spacing_s - _QUICK_S, 0.0) / 2

    def _rate_over(self, span_s: float) -> float:
        last = self._places[-1]
        first = next(p for p in self._places if last.arrival_s - p.arrival_s <= span_s + _QUICK_S)
        return (last.samples - first.samples) / (last.arrival_s - first.arrival_s)


def _with_drift(seen: _Seen) -> float:
    """Return what the delay may have risen to until now."""
    return seen.delay_s + seen.age_s * TOLERANCE


def _is_steady(levels: Sequence[float]) -> bool:
    whole = levels[-1] - levels[0]
    steps = (after - before for before, after in pairwise(levels))
    return all(step / whole >= _PART for step in steps) if whole else False
