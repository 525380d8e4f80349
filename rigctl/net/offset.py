"""By how much a peer's clock differs from ours, with a bound that contains the truth (pure).

From: clock readings in echoes (`net.outputs.Probed`).  To: status reports, sessions.

What is assumed, and nothing else: the two clocks run apart by `MAX_DRIFT` at the most, and none
jumps.  A probe then says between which values the offset lay when it was over:

    ours     t1 ------------------- t4        peer read before t4   offset(t4) >= t3 - t4
    theirs        t2 ------- t3               peer read after  t1   offset(t4) <= t2 - t1, and what
                                                                   was drifted apart since t1

The middle is ((t2 - t1) + (t3 - t4)) / 2, and whatever the network's asymmetry it is wrong by at
most half the round trip (RFC 5905, section 8).  What was known before is carried to that instant,
wider by `MAX_DRIFT` per second, and holds still: the truth lies where both agree.  Where they do
not, a clock jumped, and only the probe is believed.
"""

from collections import deque
from dataclasses import dataclass, replace

from rigctl.net.outputs import Probed

MAX_DRIFT = 500e-6
"""By how much two clocks run apart at the most, in seconds per second: crystals of computers are
specified to 50 ppm or better, and the kernel slews a clock for a time service by 500 ppm at the
most (adjtimex(2)).  While chrony changes the tick itself, after its start, clocks may run apart
faster; probes that contradict each other then count as steps."""
_WORTH_TELLING = 100e-6
"""A drift that is not known better than this is not told."""

_RESOLUTION_S = 0.5e-6
"""What two readings lose as 64-bit floats: seconds since 1970 are told in steps of 0.24 us."""
_BIN_S = 10.0
_BINS = 64
"""How many bins of time are remembered, each by what was known best in it: drift shows over
minutes, and one slow exchange must not spoil it."""


@dataclass(frozen=True, slots=True)
class Offset:
    """A peer's clock minus ours; the truth lies within +-bound."""

    offset_s: float
    bound_s: float
    drift_ppm: float | None = None
    """Its change over the time that is remembered, per second; None before that is known at all."""
    drift_bound_ppm: float | None = None
    round_trip_s: float = 0.0
    """The shortest that is remembered."""
    steps: int = 0
    """How often a clock jumped since the peer is known."""


@dataclass(frozen=True, slots=True)
class _Known:
    """At an instant of our clock the offset lay between two values."""

    at_s: float
    least_s: float
    most_s: float
    round_trip_s: float

    @property
    def width_s(self) -> float:
        return self.most_s - self.least_s

    def carried(self, at_s: float) -> "_Known":
        """Return what this says of another instant, later or earlier."""
        apart_s = abs(at_s - self.at_s) * MAX_DRIFT
        return _Known(at_s, self.least_s - apart_s, self.most_s + apart_s, self.round_trip_s)

    def agreed(self, other: "_Known") -> "_Known | None":
        """Return what two say of the same instant; None if they contradict each other."""
        least_s, most_s = max(self.least_s, other.least_s), min(self.most_s, other.most_s)
        return _Known(self.at_s, least_s, most_s, other.round_trip_s) if least_s <= most_s else None


class OffsetEstimate:
    """What the probes of one peer say together."""

    def __init__(self) -> None:
        self.steps = 0
        """How often a clock jumped: a probe contradicted those before it."""
        self._epoch = ""
        self._latest: _Known | None = None
        self._best: deque[_Known] = deque(maxlen=_BINS)

    def add(self, probe: Probed) -> None:
        """Take one exchange of clock readings; one that contradicts itself is passed over."""
        if self._is_known(probe):
            return
        told = _told_by(probe)
        if told is None:
            return
        known = self._latest.carried(told.at_s).agreed(told) if self._latest else told
        if known is None:
            self.steps += 1
            self.reset()
            known = told
        self._latest = known
        self._remember(known)

    def follow(self, epoch: str) -> None:
        """Forget all if the peer is another process now: its clock began anew."""
        if epoch and epoch != self._epoch:
            if self._epoch:
                self.reset()
            self._epoch = epoch

    def reset(self) -> None:
        """Forget all probes."""
        self._latest = None
        self._best.clear()

    def at(self, clock: float) -> Offset | None:
        """Return what is known of an instant of our clock; None before any probe."""
        if self._latest is None:
            return None
        now = self._latest.carried(clock)
        drift = self._drift()
        return Offset(
            offset_s=(now.least_s + now.most_s) / 2,
            bound_s=now.width_s / 2,
            drift_ppm=drift and drift[0],
            drift_bound_ppm=drift and drift[1],
            round_trip_s=min(known.round_trip_s for known in self._best),
            steps=self.steps,
        )

    def _is_known(self, probe: Probed) -> bool:
        """Whether a probe tells nothing that is not known better; most are of that kind."""
        latest = self._latest
        if latest is None or self._best[-1].at_s // _BIN_S != probe.received // _BIN_S:
            return False
        apart_s = abs(probe.received - latest.at_s) * MAX_DRIFT
        least_s = probe.peer_sent - probe.received - _RESOLUTION_S
        most_s = probe.peer_received - probe.sent + _RESOLUTION_S
        return least_s <= latest.least_s - apart_s and most_s >= latest.most_s + apart_s

    def _remember(self, known: _Known) -> None:
        before = self._best[-1] if self._best else None
        if before is None or before.at_s // _BIN_S != known.at_s // _BIN_S:
            self._best.append(known)
            return
        shortest_s = min(before.round_trip_s, known.round_trip_s)
        best = min(known, before, key=lambda one: one.width_s)
        self._best[-1] = replace(best, round_trip_s=shortest_s)

    def _drift(self) -> tuple[float, float] | None:
        """Return the mean drift from some remembered instant to the last one, and its bound.

        No steady drift is assumed, so each pair of instants stands for itself: the one that tells
        most is taken, nothing is concluded from several.
        """
        last = self._best[-1]
        pairs = [_slopes(first, last) for first in self._best if first.at_s < last.at_s]
        least, most = min(pairs, key=lambda pair: pair[1] - pair[0], default=(-1.0, 1.0))
        if most - least >= 2 * _WORTH_TELLING:
            return None
        least, most = max(least, -MAX_DRIFT), min(most, MAX_DRIFT)
        return (least + most) / 2 * 1e6, (most - least) / 2 * 1e6


def _told_by(probe: Probed) -> _Known | None:
    taken_s = probe.received - probe.sent
    least_s = probe.peer_sent - probe.received - _RESOLUTION_S
    most_s = probe.peer_received - probe.sent + _RESOLUTION_S + taken_s * MAX_DRIFT
    if taken_s < 0 or least_s > most_s:
        return None
    round_trip_s = max(taken_s - (probe.peer_sent - probe.peer_received), 0.0)
    return _Known(probe.received, least_s, most_s, round_trip_s)


def _slopes(first: _Known, last: _Known) -> tuple[float, float]:
    span_s = last.at_s - first.at_s
    return (last.least_s - first.most_s) / span_s, (last.most_s - first.least_s) / span_s
