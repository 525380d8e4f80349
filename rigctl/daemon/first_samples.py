"""The wait until a recording has begun: until the recorder answers, until samples are on disk.

From: `daemon.recorder_link`, `daemon.streams`.  To: `daemon.recording`.
"""

import asyncio
from collections.abc import Mapping

from rigctl.daemon.recorder_link import RecorderLink
from rigctl.daemon.streams import StreamState
from rigctl.errors import RecordingError, StreamError
from rigctl.peers.process import READY_S


async def until_begun(recorder: RecorderLink) -> None:
    """Return when the recorder has said something.

    Raises:
        RecordingError: it does not.
    """
    try:
        async with asyncio.timeout(READY_S):
            await recorder.progress()
    except TimeoutError:
        text = f"the recorder has not begun within {READY_S:g} s: the disk may hang"
        raise RecordingError(text) from None


async def until_durable(
    recorder: RecorderLink, streams: Mapping[str, StreamState], timeout_s: float
) -> None:
    """Return when every required stream has samples on disk.

    Args:
        recorder: that records them.
        streams: the recorded ones.
        timeout_s: how long to wait.

    Raises:
        StreamError: one, which is named, has none in time, or failed.
    """
    try:
        async with asyncio.timeout(timeout_s):
            while waiting := _without_samples(streams):
                await recorder.progress()
    except TimeoutError:
        why = "; ".join(f"{n}: {streams[n].situation.text}" for n in waiting)
        text = f"no sample on disk within {timeout_s:.1f} s of stream {why}"
        raise StreamError(text) from None


def _without_samples(streams: Mapping[str, StreamState]) -> list[str]:
    """Return the required streams that have nothing on disk yet.

    Raises:
        StreamError: one of them failed.
    """
    required = {n: s for n, s in streams.items() if s.entry.required}
    for name, stream in required.items():
        if stream.counts.failure:
            raise StreamError(f"stream {name} cannot be recorded: {stream.counts.failure}")
    return [name for name, stream in required.items() if not stream.counts.durable_samples]
