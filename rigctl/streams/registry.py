"""The `readers` file of a ring: who comes and when the ring goes, one at a time.

From: readers that wait, and whoever removes a ring.  To: the writer, which looks at one number.
"""

import contextlib
import fcntl
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from rigctl.errors import RingError
from rigctl.streams.layout import READERS, WORD
from rigctl.streams.mapping import create_file

_GONE = -1


class Registry:
    """A counter in shared memory, changed under a lock.

    Args:
        folder: the ring's.

    Raises:
        OSError: it has no such file.
    """

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / READERS, os.O_RDWR | os.O_CLOEXEC)
        self.word = memoryview(mmap.mmap(self._fd, WORD)).cast("q")
        """The counter: changes whenever a reader has come, -1 when the ring is gone."""

    @classmethod
    def create(cls, folder: Path) -> "Registry":
        """Create the file and open it."""
        with create_file(folder / READERS, WORD):
            pass
        return cls(folder)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off every other change to the ring's folder; counts up at the end.

        Raises:
            RingError: the ring is removed already, or this is closed.
        """
        if self._fd < 0:
            raise RingError("what is closed changes no ring")
        fcntl.flock(self._fd, fcntl.LOCK_EX)  # held for microseconds
        try:
            if self.word[0] == _GONE:
                raise RingError("the ring is removed")
            yield
            if self.word[0] != _GONE:
                self.word[0] += 1
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def mark_gone(self) -> None:
        """Tell that the ring is removed; only while `changing`."""
        self.word[0] = _GONE

    def close(self) -> None:
        """Give the descriptor back; the counter stays readable."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
