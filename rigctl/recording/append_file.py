"""A file that only grows, by whole pieces, and knows its own digest.

From: `stream_writer`.  To: the disk.

The digest is taken behind the writing, from pages that the system still holds: it costs four times
what the CRC does (BLAKE2b 0.75 s/GB, CRC-32 0.19 s/GB), so it is the flush thread's work.
"""

import errno
import hashlib
import os
from pathlib import Path

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording.durable import write_all, writing
from rigctl.recording.space import Reservation

DIGEST_BYTES = 32

_CHUNK = 1 << 20
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class FileDigest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The size of a file and the hash of its bytes."""

    size: int
    blake2b: str
    """BLAKE2b of 32 bytes, in hexadecimal."""
    grows: bool = False
    """Whether more may follow: size and hash are then those of its beginning."""


class AppendFile:
    """A new file, opened for appending; the bytes before `size` are settled.

    Args:
        path: must not be there yet.
        ahead: bytes to reserve ahead.

    Raises:
        RecordingError: it cannot be created.
    """

    def __init__(self, path: Path, ahead: int = 0) -> None:
        with writing(path):
            self._fd = os.open(path, _FLAGS, 0o644)
        self.path = path
        self.size = 0
        self._broken = ""
        self._hashed = 0
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._reservation = Reservation(self._fd, ahead)
        self._reservation.extend(0)

    @property
    def digest(self) -> FileDigest | None:
        """Size and hash of what is settled, if `hash_settled` has seen all of it."""
        return FileDigest(self.size, self._hash.hexdigest()) if self._hashed == self.size else None

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

    def sync(self) -> None:
        """Make it durable, and reserve further space.

        Raises:
            RecordingError: it failed; what was written since the last time may be lost, and no
                later call can make it good, since the system forgets the failed pages.
        """
        if self._broken:
            raise RecordingError(f"{self.path}: {self._broken}")
        with writing(self.path):
            try:
                os.fdatasync(self._fd)
            except OSError as error:
                self._broken = f"an earlier flush to disk failed: {error.strerror}"
                raise
        self._reservation.extend(self.size)

    def hash_settled(self) -> None:
        """Hash what was settled since the last time; for the thread that syncs.

        Raises:
            RecordingError: it cannot be read back.
        """
        end = self.size
        with writing(self.path):
            while self._hashed < end:
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
