"""Points at their true rate: deadlines counted from one instant, so that lateness never adds up.

From: the loop's clock.  To: `simulator`, `devices.simulated`.
"""

import asyncio


class Pace:
    """Tells when points are due; the first is due when this is made, in a running loop.

    Args:
        points_per_s: the rate; infinity for as fast as possible.
    """

    def __init__(self, points_per_s: float) -> None:
        self._points_per_s = points_per_s
        self._clock = asyncio.get_running_loop().time
        self._begin_s = self._clock()

    async def reach(self, points: int) -> None:
        """Wait until so many points are due; let others run in any case."""
        due_s = self._begin_s + points / self._points_per_s
        await asyncio.sleep(max(due_s - self._clock(), 0.0))
