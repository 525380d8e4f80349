"""One file from one disk to another: hashed as it is read, and again as it then lies there.

From: `copying`.  To: the destination's disk.

    source --read, hash--> compared with what is there of the draft, else written
    draft  --fsync, drop from memory, read, hash--> compared --rename--> the file

A kill leaves the draft; the next run compares it with the source from its beginning and goes on
behind what is the same.  A file that has its name was verified, and is read again all the same.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rigctl.recording.append_file import DIGEST_BYTES, FileDigest
from rigctl.recording.copy_plan import Advance
from rigctl.recording.durable import sync_folder, write_all, writing

PART = ".rigctl-part"
"""Behind the name of a file that is there in part."""

_CHUNK = 4 << 20
_SOURCE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_DRAFT = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def carry(source: Path, target: Path, expected: FileDigest, advance: Advance) -> str:
    """Copy a file, and return what is wrong with it; empty where the copy is what was expected.

    Args:
        source: the file.
        target: where it comes to be once it is verified; its folder is there.
        expected: what it must be.
        advance: told the number of bytes after each piece, each once for every end.

    Raises:
        RecordingError: the destination cannot be written or read.
    """
    # Not the name that other drafts have: a crash may have left one of them in the session.
    draft = target.with_name(f"{target.name}{PART}")
    with writing(target):
        if target.exists():
            if digest_on_disk(target, advance) == expected.blake2b:
                advance(expected.size)
                return ""
            target.rename(draft)  # what is right of it stays
        with _open(draft, _DRAFT) as outgoing:
            try:
                problem = _fill(source, _Draft(outgoing), expected, advance)
            except _Unreadable as error:
                return f"cannot be read: {error}"
            if problem:
                return problem
            os.fsync(outgoing)
            if _on_disk(outgoing, advance) != expected.blake2b:
                return f"its copy cannot be read back as it was written: {draft}"
        draft.rename(target)
        sync_folder(target.parent)
    return ""


def digest_on_disk(path: Path, advance: Advance | None = None) -> str:
    """Return a file's hash as its disk has it, where the system can be made to look there.

    Raises:
        OSError: it cannot be read.
    """
    with _open(path, _SOURCE) as fd:
        return _on_disk(fd, advance)


def forget(path: Path) -> None:
    """Have the system drop what it holds of a file in memory, so that reading asks the disk.

    Raises:
        OSError: it cannot be opened.
    """
    with _open(path, _SOURCE) as fd:
        _forget(fd)


def _fill(source: Path, draft: "_Draft", expected: FileDigest, advance: Advance) -> str:
    """Have the draft hold what the source does; return what is wrong with the source."""
    with _reading(source) as incoming:
        before = os.fstat(incoming)
        if before.st_size != expected.size:
            return f"has {before.st_size} bytes, and should have {expected.size}"
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for piece in _pieces(incoming, expected.size):
            digest.update(piece)
            draft.put(piece)
            advance(len(piece))
        after = os.fstat(incoming)
        _forget(incoming)
    draft.end(after)
    if digest.hexdigest() == expected.blake2b:
        return ""
    is_same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return "is damaged: its hash is another" if is_same else "was changed while it was copied"


class _Unreadable(Exception):
    """The source cannot be read, which other files need not share."""


class _Draft:
    """A file that is there in part, perhaps wrongly.

    Args:
        fd: it, open.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._done = 0
        self._there = os.fstat(fd).st_size

    def put(self, piece: bytes) -> None:
        """Have it hold this next, writing only what it does not hold."""
        end = self._done + len(piece)
        if end > self._there or os.pread(self._fd, len(piece), self._done) != piece:
            self._cut()
            os.lseek(self._fd, self._done, os.SEEK_SET)
            write_all(self._fd, piece)
        self._done = end

    def end(self, source: os.stat_result) -> None:
        """Have it end here, and be as old as the source."""
        self._cut()
        os.utime(self._fd, ns=(source.st_atime_ns, source.st_mtime_ns))

    def _cut(self) -> None:
        if self._there > self._done:
            os.ftruncate(self._fd, self._done)
            self._there = self._done


@contextmanager
def _reading(source: Path) -> Iterator[int]:
    try:
        fd = os.open(source, _SOURCE)
    except OSError as error:
        raise _Unreadable(error.strerror) from error
    try:
        yield fd
    finally:
        os.close(fd)


def _pieces(fd: int, size: int) -> Iterator[bytes]:
    left = size
    while left:
        try:
            piece = os.read(fd, min(_CHUNK, left))
        except OSError as error:
            raise _Unreadable(error.strerror) from error
        if not piece:
            return  # it was cut off meanwhile, which its hash shows
        yield piece
        left -= len(piece)


@contextmanager
def _open(path: Path, flags: int) -> Iterator[int]:
    fd = os.open(path, flags, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


def _on_disk(fd: int, advance: Advance | None) -> str:
    """Return the hash of an open file, all of which is durable."""
    _forget(fd)
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    os.lseek(fd, 0, os.SEEK_SET)
    while piece := os.read(fd, _CHUNK):
        digest.update(piece)
        if advance:
            advance(len(piece))
    return digest.hexdigest()


def _forget(fd: int) -> None:
    # Pages that are not written yet are kept: it is for what was synced.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
