"""What a session is opened with: its header, its log, a data root that can be written.

From: the rig's configuration.  To: `daemon.recording`.
"""

import logging
import os
import platform
import socket
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from rigctl import log as logs
from rigctl.config import Rig
from rigctl.errors import RecordingError
from rigctl.messages import PROTOCOL_VERSION, Json
from rigctl.recording.layout import LOG
from rigctl.recording.session import ClockPair, SessionHeader, SessionStream

log = logging.getLogger(__name__)


def header(rig: Rig, streams: Mapping[str, SessionStream]) -> SessionHeader:
    """Return what is known of a session when it begins."""
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
        streams=dict(streams),
    )


def check_writable(rig: Rig) -> None:
    """Raise before anything is begun if nothing could be recorded.

    Raises:
        RecordingError: the data root cannot be made or written.
    """
    root = rig.data_root
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"data_root {root} cannot be made: {error.strerror}") from error
    if not os.access(root, os.W_OK | os.X_OK):
        raise RecordingError(f"data_root {root} cannot be written: permission denied")


def open_log(session: Path) -> logging.Handler | None:
    """Have what is logged go to the session's own log, too."""
    try:
        return logs.add_file(session / LOG)
    except OSError as error:
        log.warning("%s has no log of its own: %s", session, error)
        return None
