"""How the clock of the rig's computer is kept, asked beside all else.

From: `net.hostclock`.  To: the rig's report.
"""

import asyncio
from collections.abc import Callable

from rigctl.net.hostclock import host_clock
from rigctl.reports import HostClock

_EVERY_S = 60.0


async def follow_host_clock(tell: Callable[[HostClock], None]) -> None:
    """Ask at once and then every minute, in a thread: programs that are asked may hang a while."""
    while True:
        tell(await asyncio.to_thread(host_clock))
        await asyncio.sleep(_EVERY_S)
