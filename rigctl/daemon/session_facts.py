"""What `session.json` says of the rig and of its streams.

From: the rig's configuration, `daemon.streams`.  To: `daemon.recording`.
"""

import platform
import socket
from collections.abc import Mapping
from importlib.metadata import version

from rigctl.config import Rig
from rigctl.daemon.streams import StreamState
from rigctl.messages import PROTOCOL_VERSION, Json
from rigctl.recording.session import ClockPair, SessionHeader, SessionStream


def header_of(rig: Rig, streams: Mapping[str, StreamState]) -> SessionHeader:
    """Return what is known of a session when it is created."""
    config: dict[str, Json] = rig.document.values if rig.document else {}
    return SessionHeader(
        state="STARTING",
        host=socket.gethostname(),
        clock=ClockPair.now(),
        versions={
            "rigctl": version("rigctl"),
            "python": platform.python_version(),
            "protocol": PROTOCOL_VERSION,
        },
        config=config,
        streams=streams_of(streams, {}),
    )


def streams_of(
    streams: Mapping[str, StreamState], former: Mapping[str, SessionStream]
) -> dict[str, SessionStream]:
    """Return the streams that are to be recorded.

    Args:
        streams: those that are recorded, as they are now.
        former: what the session says of them; why not all was recorded stays said.
    """
    now = {
        name: SessionStream(
            required=stream.entry.required,
            device=stream.entry.device,
            failure=stream.counts.failure or (former[name].failure if name in former else ""),
        )
        for name, stream in streams.items()
    }
    return {**former, **now}
