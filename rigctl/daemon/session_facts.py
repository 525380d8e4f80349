"""What `session.json` says of the rig and of its streams.

From: the rig's configuration, `daemon.streams`, a session's folder.  To: `daemon.recording`.
"""

import platform
import socket
from collections.abc import Mapping
from importlib.metadata import version

from rigctl.config import Rig
from rigctl.daemon.streams import StreamState
from rigctl.messages import PROTOCOL_VERSION, Json
from rigctl.peers.orders import Counts
from rigctl.recording.layout import read_stream_header, stream_folders
from rigctl.recording.manifest import totals
from rigctl.recording.session import ClockPair, Session, SessionHeader, SessionStream


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


def counts_of(session: Session) -> dict[str, Counts]:
    """Return what is on disk of each stream of a session that nobody writes to.

    Raises:
        RecordingError: its files cannot be read.
    """
    found: dict[str, Counts] = {}
    for folder in stream_folders(session.path):
        name, part = read_stream_header(folder).name, totals(folder)
        before, told = found.get(name, Counts()), session.record.streams.get(name)
        found[name] = Counts(
            samples=before.samples + part.samples,
            durable_samples=before.durable_samples + part.samples,
            gaps=before.gaps + part.gaps,
            missing_samples=before.missing_samples + part.missing_samples,
            failure=told.failure if told else "",
            ended=True,
        )
    return found
