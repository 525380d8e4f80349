"""The clock that is told to peers: it never jumps.

From: the computer's wall clock and monotonic clock.  To: `net.link`, the daemon.
"""

import time
from collections.abc import Callable

from rigctl.net.inputs import Now

_DOUBT_S = 0.001
"""How far apart two clocks may be read and still count as read at once."""
_READINGS = 10


class RigClock:
    """Seconds since 1970 that never jump: the wall clock at the start, then the monotonic one.

    Args:
        wall: reads seconds since 1970.
        monotonic: reads seconds that never jump.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._base_s, _ = self._read()
        self._step_s = 0.0

    def now(self) -> Now:
        """Read both clocks."""
        monotonic = self._monotonic()
        return Now(monotonic, self._base_s + monotonic)

    def wall_step_s(self) -> float:
        """Return by how much the wall clock was stepped since the start, as last seen clearly.

        A time service that slews moves both clocks alike; what shows here is that somebody set
        the wall clock, or that the computer slept, which the monotonic clock does not count.
        """
        base_s, doubt_s = self._read()
        if doubt_s <= _DOUBT_S:
            self._step_s = base_s - self._base_s
        return self._step_s

    def _read(self) -> tuple[float, float]:
        """Return the wall clock minus the monotonic one, and within what time both were read."""
        best = (0.0, float("inf"))
        for _ in range(_READINGS):  # a process that is put aside between two readings reads again
            before = self._monotonic()
            wall = self._wall()
            after = self._monotonic()
            best = min(best, (wall - (before + after) / 2, after - before), key=lambda one: one[1])
            if best[1] <= _DOUBT_S:
                break
        return best
