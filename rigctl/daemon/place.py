"""Where a rig's sessions go: whether one can begin there.

From: the rig's configuration.  To: `daemon.recording`.
"""

import os

from rigctl.config import Rig
from rigctl.errors import RecordingError, SessionExists
from rigctl.messages import ExpRef


def check_free(rig: Rig, exp_ref: ExpRef) -> None:
    """Raise if a session's folder exists.

    Raises:
        SessionExists: it does; nothing of it is touched.
    """
    path = rig.data_root / exp_ref.folder / rig.name
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
