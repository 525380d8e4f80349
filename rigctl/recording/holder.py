"""Whether somebody may still write to a session that is not sealed.

From: the lock that a rig's daemon and its workers hold beside the data (`daemon.place`).
To: `copying`.
"""

import fcntl
import os
from pathlib import Path

from rigctl.errors import RecordingError

_BELOW_ROOT = 4
"""``subject/yyyy-mm-dd/nnn/rig``"""


def is_held(session: Path) -> bool:
    """Whether the daemon of a session's rig, or a worker that it left behind, lives.

    Args:
        session: a rig's folder; one that stands in no data root is nobody's.

    Raises:
        RecordingError: that cannot be found out.
    """
    parents = session.resolve().parents
    if len(parents) < _BELOW_ROOT:
        return False
    lock = parents[_BELOW_ROOT - 1] / ".rigctl" / f"{session.name}.workers"
    try:
        fd = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise RecordingError(
            f"{lock}: {error.strerror}: whether {session} is still written to cannot be told"
        ) from error
    try:
        # For a moment only: a daemon that starts meanwhile waits for it longer than that.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # no daemon runs on a file system without locks
    finally:
        os.close(fd)
    return False
