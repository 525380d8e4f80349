"""Waking readers in other processes: a named FIFO each, in the ring's folder.

From: the writer, after every publication.  To: readers that wait.

A FIFO is found by its name, so nothing has to be handed over; one byte in it wakes its reader,
and one left over from before it waited wakes it at once, so that no wake-up is lost. A reader
makes its FIFO, opens it, gives it its final name and changes the registry's number; the writer
looks into the folder only when that number has changed. A FIFO that nobody has open belonged to
a reader that was killed: the writer removes it.
"""

import contextlib
import errno
import logging
import os
import select
import uuid
from pathlib import Path

from rigctl.errors import RingError
from rigctl.processes import ProcessWatch
from rigctl.streams.layout import WAKE
from rigctl.streams.registry import Registry

logger = logging.getLogger(__name__)

_GONE = (errno.ENOENT, errno.ENXIO)
"""A FIFO that was removed meanwhile, or whose reader was killed."""
_DRAIN_BYTES = 4096
_LOOK_S = 0.25
"""How often the writer's process is looked for where the system cannot tell of its end."""
_LONGEST_S = 1e6
"""The system counts milliseconds in 32 bits."""


class Bell:
    """A reader's own FIFO.

    Args:
        folder: the ring's.
        registry: the ring's.
        watch: of the ring's writer.

    Raises:
        RingError: the ring is removed.
    """

    def __init__(self, folder: Path, registry: Registry, watch: ProcessWatch) -> None:
        self._path = folder / f"{WAKE}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        with registry.changing():
            unfinished = self._path.with_name(f".{self._path.name}")
            os.mkfifo(unfinished, 0o600)
            # Open for both: it never ends, not even when the writer closes its side.
            self._fd = os.open(unfinished, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            unfinished.rename(self._path)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        process = watch.fileno()
        self._longest_s = _LOOK_S if process is None else _LONGEST_S
        if process is not None:
            self._poll.register(process, select.POLLIN)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the ring changes."""
        return self._fd

    def drain(self) -> None:
        """Forget the wake-ups so far; look at the ring after this, not before."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, _DRAIN_BYTES)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is rung, which is forgotten then; returns whether it was.

        It was not: the writer has ended, it is time to look whether it has, or the time is over.

        Raises:
            RingError: it is closed; the system would not wait for it at all.
        """
        if self._fd < 0:
            raise RingError("a reader that is closed waits for nothing")
        timeout_s = min(timeout_s, self._longest_s)
        for fd, _ in self._poll.poll(timeout_s * 1000 if timeout_s > 0 else 0):
            if fd == self._fd:
                os.read(fd, _DRAIN_BYTES)
                return True
        return False

    def close(self) -> None:
        """Close and remove it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._path.unlink(missing_ok=True)


class Bells:
    """The writer's side: the FIFOs of all readers.

    Args:
        folder: the ring's.
        registry: the ring's.
    """

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._folder = folder
        self._readers = registry.word
        self._seen: int | None = self._readers[0]
        self._fds: dict[Path, int] = {}

    def ring(self) -> int | None:
        """Wake every reader; never waits.

        Returns:
            the registry's number while nobody is to be woken until it changes, else None.
        """
        generation = self._readers[0]
        if generation != self._seen:
            self._find(generation)
        for path, fd in tuple(self._fds.items()):
            try:
                os.write(fd, b"\0")
            except BlockingIOError:
                pass  # full: it has been woken often enough
            except BrokenPipeError:
                self._drop(path)
        return None if self._fds else self._seen

    def close(self) -> None:
        """Close them all; the FIFOs are their readers'."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def _find(self, generation: int) -> None:
        try:
            for path in self._folder.glob(f"{WAKE}*"):
                if path not in self._fds:
                    self._open(path)
        except OSError as error:  # no descriptor is free: the samples are published all the same
            if self._seen is not None:
                logger.warning("a new reader of %s is not woken yet: %s", self._folder.name, error)
            self._seen = None  # so that it is tried again with the next block
        else:
            self._seen = generation

    def _open(self, path: Path) -> None:
        try:
            self._fds[path] = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            path.unlink(missing_ok=True)

    def _drop(self, path: Path) -> None:
        os.close(self._fds.pop(path))
        path.unlink(missing_ok=True)
