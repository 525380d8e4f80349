"""A file that grows by whole pieces, may be cut at its end, and knows its own digest.

From: `stream_writer`.  To: the disk.

The digest is taken behind the writing, from pages that the system still holds: it costs four times
what the CRC does (BLAKE2b 0.75 s/GB, CRC-32 0.19 s/GB), so it is the flush thread's work.
"""

import errno
import hashlib
import os
from collections import deque
from pathlib import Path

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording.durable import write_all, writing
from rigctl.recording.space import Reservation

DIGEST_BYTES = 32

_CHUNK = 1 << 20
_ADD = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
_NEW = _ADD | os.O_CREAT | os.O_EXCL
_WAITING_BYTES = 16 << 20
"""So much that waits to be durable puts off the hashing, which nobody waits for before the seal."""
_KEPT_HASHES = 120
"""How many earlier states of the hash are kept, one for each flush, for a cut to go back to."""


class FileDigest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The size of a file and the hash of its bytes."""

    size: int
    blake2b: str
    """BLAKE2b of 32 bytes, in hexadecimal."""
    grows: bool = False
    """Whether more may follow: size and hash are then those of its beginning."""


class AppendFile:
    """A file opened for appending; the bytes before `size` are settled.

    Args:
        path: must not be there yet, unless it goes on.
        ahead: bytes to reserve ahead.
        goes_on: whether it is there and all of it is settled; its digest is not known then.

    Raises:
        RecordingError: it cannot be created or opened.
    """

    def __init__(self, path: Path, ahead: int = 0, *, goes_on: bool = False) -> None:
        with writing(path):
            self._fd = os.open(path, _ADD if goes_on else _NEW, 0o644)
            self.size = os.fstat(self._fd).st_size
        self.path = path
        self._synced = self.size
        self._broken = ""
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._hashed = 0
        self._is_hashed = not goes_on
        self._hashes = deque([(0, self._hash.copy())], maxlen=_KEPT_HASHES)
        self._reservation = Reservation(self._fd, ahead)
        self._reservation.extend(self.size)

    @property
    def digest(self) -> FileDigest | None:
        """Size and hash of what is settled, if `hash_settled` has seen all of it."""
        known = self._is_hashed and self._hashed == self.size
        return FileDigest(self.size, self._hash.hexdigest()) if known else None

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes that are settled.

        Raises:
            RecordingError: they cannot be read, or not all of them are there.
        """
        with writing(self.path):
            data = os.pread(self._fd, size, offset)
            if len(data) != size:
                raise OSError(errno.EIO, "it was cut off by another program")
            return data

    def write(self, data: bytes | memoryview) -> None:
        """Write behind the settled bytes; `settle` or `revert` must follow.

        Raises:
            RecordingError: it failed, and the file has its former size again.
        """
        if self._broken:
            raise RecordingError(f"{self.path}: {self._broken}")
        with writing(self.path):
            try:
                write_all(self._fd, data)
            except OSError:
                self.revert()
                raise

    def settle(self, data: bytes | memoryview) -> None:
        """Count what was written last as part of the file."""
        self.size += len(data)

    def revert(self) -> None:
        """Cut off whatever is not settled."""
        try:
            os.ftruncate(self._fd, self.size)
        except OSError as error:
            self._broken = f"an unfinished append could not be cut off: {error.strerror}"

    def cut(self, size: int) -> None:
        """Cut off what is settled behind so many bytes; its thread must not hash meanwhile.

        Raises:
            RecordingError: it failed.
        """
        with writing(self.path):
            os.ftruncate(self._fd, size)
        self.size = size
        self._synced = min(self._synced, size)
        while self._hashes and self._hashed > size:
            self._hashed, self._hash = self._hashes.pop()
        self._is_hashed = self._is_hashed and self._hashed <= size

    def sync(self) -> None:
        """Make it durable, and reserve further space.

        Raises:
            RecordingError: it failed; what was written since the last time may be lost, and no
                later call can make it good, since the system forgets the failed pages.
        """
        if self._broken:
            raise RecordingError(f"{self.path}: {self._broken}")
        written = self.size
        with writing(self.path):
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                self._broken = f"an earlier flush to disk failed: {error.strerror}"
                raise
        self._synced = written
        self._reservation.extend(self.size)

    def hash_settled(self) -> None:
        """Hash what was settled since the last time; for the thread that syncs.

        Samples that come faster than they can be hashed are left for later: the next call while
        nothing more comes hashes all of them.

        Raises:
            RecordingError: it cannot be read back.
        """
        end = self.size if self._is_hashed else self._hashed
        if self._hashed < end:
            self._hashes.append((self._hashed, self._hash.copy()))
        with writing(self.path):
            while self._hashed < end and self.size - self._synced < _WAITING_BYTES:
                chunk = os.pread(self._fd, min(_CHUNK, end - self._hashed), self._hashed)
                if not chunk:
                    raise OSError(errno.EIO, "it was cut off by another program")
                self._hash.update(chunk)
                self._hashed += len(chunk)

    def close(self) -> None:
        """Give back what is reserved, and close; nothing can be written any more."""
        self._broken = "it is closed"
        with writing(self.path):
            try:
                self._reservation.trim(self.size)
            finally:
                os.close(self._fd)
