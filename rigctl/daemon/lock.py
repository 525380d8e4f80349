"""Locks of files, by which daemons keep out of each other's way.

From: `daemon.place`.  To: the system (flock), which lets go of a lock when the last process that
has the file open from its holder has ended, however it ended.
"""

import asyncio
import contextlib
import fcntl
import os
import threading
import weakref
from pathlib import Path

from rigctl.errors import JournalError

_open: "weakref.WeakSet[Lock]" = weakref.WeakSet()
"""The locks of this process; one that it forks has none of them."""


class Lock:
    """A file that one program at a time holds, together with the processes that it hands it to.

    Args:
        path: the file; its folder is there.

    Raises:
        JournalError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{path} cannot be opened: {error.strerror}") from error
        _open.add(self)

    def fileno(self) -> int:
        """Return the descriptor; a process that is given it holds the lock as well."""
        return self._fd

    def take_now(self) -> bool:
        """Take the lock, unless another program holds it; return whether it is ours.

        Raises:
            JournalError: this file system has no locks.
        """
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise JournalError(f"{self.path} cannot be locked: {error.strerror}") from error
        return True

    async def take(self, within_s: float) -> bool:
        """Wait until the lock is free and take it; return whether it is ours.

        Raises:
            JournalError: as `take_now`.
        """
        if self.take_now():
            return True
        taken = asyncio.Event()
        loop = asyncio.get_running_loop()
        # A thread of its own, which nobody joins: a wait for a lock cannot be called off.
        waiting = (os.dup(self._fd), loop, taken)
        threading.Thread(target=_wait, args=waiting, name="lock", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await taken.wait()
        return taken.is_set()

    def write(self, text: str) -> None:
        """Say in the file who holds it."""
        with contextlib.suppress(OSError):  # it is for people only
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text.encode(), 0)

    def read(self) -> str:
        """Return what its holder said."""
        return os.pread(self._fd, 1000, 0).decode(errors="replace").strip()

    def close(self) -> None:
        """Let go of it; who was given it holds it still."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _wait(fd: int, loop: asyncio.AbstractEventLoop, taken: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX)
    os.close(fd)  # the lock stays with the other descriptor, if that is still open
    with contextlib.suppress(RuntimeError):  # the loop may be closed long since
        loop.call_soon_threadsafe(taken.set)


def _let_go() -> None:
    """Close all locks in a process that was forked, as by multiprocessing in a lab's own hooks.

    Its copies would hold them for as long as it lives, and nobody has given it any.
    """
    for lock in list(_open):
        lock.close()


os.register_at_fork(after_in_child=_let_go)
