"""Whether the streams that a recording cannot do without flow, and the wait until they do.

From: `daemon.streams`.  To: `daemon.actions`, which arms the rig.
"""

import asyncio
from collections.abc import Mapping

from rigctl.daemon.streams import StreamState
from rigctl.errors import StreamError


def still(streams: Mapping[str, StreamState]) -> list[str]:
    """Return the required recorded streams of which no samples come, by name."""
    needed = {name: s for name, s in streams.items() if s.recorded and s.entry.required}
    return [name for name, stream in needed.items() if not stream.flows]


async def until_flowing(
    streams: Mapping[str, StreamState], news: asyncio.Event, timeout_s: float
) -> None:
    """Return when samples of every required recorded stream arrive in its ring.

    Args:
        streams: all streams.
        news: set whenever something about them was reported; nobody else clears it.
        timeout_s: how long to wait.

    Raises:
        StreamError: naming the streams that do not flow, each with its situation.
    """
    try:
        async with asyncio.timeout(timeout_s):
            while still(streams):
                news.clear()
                await news.wait()
    except TimeoutError:
        why = "; ".join(f"{name}: {streams[name].situation.text}" for name in still(streams))
        raise StreamError(f"not armed: no samples in time of stream {why}") from None
