"""Where a rig's sessions go, and whether one can begin there.

From: the rig's configuration.  To: `daemon.recording`.
"""

import logging
import os
from pathlib import Path

from rigctl import log as logs
from rigctl.config import Rig
from rigctl.errors import RecordingError, SessionExists
from rigctl.messages import ExpRef
from rigctl.recording.layout import LOG
from rigctl.recording.session import Session

log = logging.getLogger(__name__)


def path_of(rig: Rig, exp_ref: ExpRef) -> Path:
    """Return where a session's folder is, or would be."""
    return rig.data_root / exp_ref.folder / rig.name


def check_free(rig: Rig, exp_ref: ExpRef) -> None:
    """Raise if a session's folder exists.

    Raises:
        SessionExists: it does; nothing of it is touched.
    """
    path = path_of(rig, exp_ref)
    if path.exists():
        raise SessionExists(
            f"{path} exists already and nothing is overwritten: choose another number"
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


def open_log(session: Session) -> logging.Handler | None:
    """Have what is logged go to the session's own log, too; None if it cannot."""
    try:
        return logs.add_file(session.path / LOG)
    except OSError as error:
        log.warning("%s has no log of its own: %s", session.path, error)
        return None
