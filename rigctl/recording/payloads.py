"""Samples on disk against the checksums of their index, at the speed of the disk.

From: a part's file.  To: `verify_stream`.

Read in large pieces into one buffer, from which the appends are checked one after the other: the
pieces fit into a processor's cache, however large or small the appends are.
"""

import io
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from rigctl.recording.index import Records

_BUFFER_BYTES = 1 << 20
_AHEAD_BYTES = 8 << 20

_advise = getattr(os, "posix_fadvise", None)
_WILL_NEED = getattr(os, "POSIX_FADV_WILLNEED", 0)


def mismatches(
    path: Path, records: Records, frame_bytes: int, advance: Callable[[int], None]
) -> Iterator[int]:
    """Yield which records' samples are not there, not readable or not those of the checksum.

    Args:
        path: the part's file.
        records: sound ones of this part, in their order.
        frame_bytes: the size of one sample.
        advance: told the number of bytes after each piece that was checked.

    Raises:
        OSError: the file cannot be opened.
    """
    offsets, counts = records["offset"].tolist(), records["count"].tolist()
    crcs, done = records["payload_crc"].tolist(), 0
    with path.open("rb", buffering=0) as file:
        source = _Source(file)
        for number, (offset, count, crc) in enumerate(zip(offsets, counts, crcs, strict=True)):
            size = count * frame_bytes
            if source.crc(offset, size) != crc:
                yield number
            done += size
            if done >= _BUFFER_BYTES:
                advance(done)
                done = 0
    advance(done)


class _Source:
    """A file, of which one piece is in memory."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._start = self._stop = 0

    def crc(self, offset: int, size: int) -> int | None:
        """Return the CRC-32 of some bytes; None where not all of them can be read."""
        crc, end = 0, offset + size
        while offset < end:
            if not self._start <= offset < self._stop:
                self._read(offset, end - offset)
            piece = self._buffer[offset - self._start : min(self._stop, end) - self._start]
            if not piece:
                return None
            crc = zlib.crc32(piece, crc)
            offset += len(piece)
        return crc

    def _read(self, offset: int, needed: int) -> None:
        """Read a piece; where the disk fails in it, only what is needed of it."""
        self._start = self._stop = offset
        if _advise:  # the disk reads the next pieces while this one is checked
            _advise(self._file.fileno(), offset + _BUFFER_BYTES, _AHEAD_BYTES, _WILL_NEED)
        for size in (_BUFFER_BYTES, min(needed, _BUFFER_BYTES)):
            try:
                self._file.seek(offset)
                self._stop = offset + (self._file.readinto(self._buffer[:size]) or 0)
            except OSError:
                continue
            return
