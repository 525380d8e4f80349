"""Which process this is, and whether another one is still there.

From: the operating system.  To: rings and journals, which outlive their writers.

A process id alone may belong to somebody else by now; together with the start time it does not.
"""

import os
import select
from dataclasses import dataclass
from pathlib import Path

_GONE_STATES = ("Z", "X", "x")
_START_FIELD = 19
"""Of ``/proc/<pid>/stat`` after the closing bracket of the name: proc(5), starttime."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process, now and for ever."""

    pid: int
    start: int
    """When it started, in clock ticks since boot; 0 where the system does not say."""

    @classmethod
    def current(cls) -> "ProcessId":
        """Return the calling process."""
        pid = os.getpid()
        state = _state(pid)
        return cls(pid, state[1] if state else 0)

    def is_alive(self) -> bool:
        """Return whether it runs; one that ended but was not collected yet does not."""
        state = _state(self.pid)
        if state is not None:
            return state[0] not in _GONE_STATES and self.start in (0, state[1])
        return not Path("/proc/self/stat").exists() and _answers(self.pid)


class ProcessWatch:
    """Tells when a process ends.

    Args:
        process: which one; it may be gone already.
    """

    def __init__(self, process: ProcessId) -> None:
        self.process = process
        self._fd = _pidfd(process.pid)
        # From here on the descriptor is of whoever has the id now; is it the one that is meant?
        self._gone = not process.is_alive()

    def fileno(self) -> int | None:
        """Return a descriptor that becomes readable when it ends, None where there is none."""
        return self._fd

    @property
    def is_gone(self) -> bool:
        """Whether it was found to be gone when last looked for."""
        return self._gone

    def is_alive(self) -> bool:
        """Look whether the process still runs."""
        if self._gone:
            return False
        if self._fd is None:
            self._gone = not self.process.is_alive()
        else:
            poll = select.poll()
            poll.register(self._fd, select.POLLIN)
            self._gone = bool(poll.poll(0))
        return not self._gone

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _state(pid: int) -> tuple[str, int] | None:
    """Return a process's state letter and start time; None if there is none or no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return fields[0], int(fields[_START_FIELD])


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # it is gone, or the kernel or a sandbox does not offer it
        return None
