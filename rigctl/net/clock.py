"""The clock that is told to peers, and what their echoes say about theirs.

From: echoes (`net.outputs.Probed`).  To: status reports, sessions.
"""

import time
from collections import deque
from dataclasses import dataclass

from rigctl.net.inputs import Now
from rigctl.net.outputs import Probed

# Crystal oscillators of computers stay within 100 ppm of each other; an old probe's bound grows
# by this much per second of its age, so that it still contains the truth.
_MAX_DRIFT = 100e-6
_KEPT_PROBES = 64


class RigClock:
    """Seconds since 1970 that never jump: the wall clock at the start, then the monotonic one."""

    def __init__(self) -> None:
        self._base_s = time.time() - time.monotonic()

    def now(self) -> Now:
        """Read both clocks."""
        monotonic = time.monotonic()
        return Now(monotonic, self._base_s + monotonic)


@dataclass(frozen=True, slots=True)
class Offset:
    """A peer's clock minus ours; the truth lies within +-bound."""

    offset_s: float
    bound_s: float


class OffsetEstimate:
    """Keeps the best of the latest clock probes of one peer.

    A probe's offset is ((t2 - t1) + (t3 - t4)) / 2; whatever the network's asymmetry, it is wrong
    by at most half the round trip (RFC 5905, section 8).
    """

    def __init__(self) -> None:
        self._probes: deque[tuple[float, Offset]] = deque(maxlen=_KEPT_PROBES)

    def add(self, probe: Probed) -> None:
        """Take one exchange of clock readings."""
        forth = probe.peer_received - probe.sent
        back = probe.peer_sent - probe.received
        round_trip = (probe.received - probe.sent) - (probe.peer_sent - probe.peer_received)
        self._probes.append((probe.received, Offset((forth + back) / 2, max(round_trip, 0) / 2)))

    def at(self, clock: float) -> Offset | None:
        """Return the tightest estimate for an instant of our clock; None before any probe."""
        aged = [
            Offset(o.offset_s, o.bound_s + abs(clock - taken) * _MAX_DRIFT)
            for taken, o in self._probes
        ]
        return min(aged, key=lambda offset: offset.bound_s, default=None)
