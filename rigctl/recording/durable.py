"""Files that are on disk when the call returns, and errors that name them.

From: the writers of a session.  To: the disk.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rigctl.errors import DiskFull, RecordingError
from rigctl.recording.checked import decode_document

_T = TypeVar("_T")

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_MODE = 0o644
_MEGABYTE = 1_000_000
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `RecordingError` that names the file."""
    try:
        yield
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `RecordingError` that names the file and the free space.

    Raises:
        DiskFull: there is no space for it.
        RecordingError: anything else.
    """
    try:
        yield
    except OSError as error:
        kind = DiskFull if is_full(error) else RecordingError
        raise kind(f"{path}: {error.strerror or error}{_free(path)}") from error


def is_full(error: OSError) -> bool:
    """Whether there is no space, on the disk or for this user."""
    return error.errno in _FULL


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte, however few the system takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not be there yet, and sync it; its folder is the caller's affair.

    Raises:
        RecordingError: it is there, or cannot be written.
    """
    with writing(path):
        _write_synced(path, data, _NEW)


def replace(path: Path, data: bytes) -> None:
    """Write a file anew so that at every moment, a power cut included, it is the old or the new.

    Raises:
        RecordingError: it cannot be written; the old one stands.
    """
    draft = draft_of(path)
    with writing(path):
        _write_synced(draft, data, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        draft.replace(path)
        sync_folder(path.parent)


def draft_of(path: Path) -> Path:
    """Return the name that a file has until it is whole; a crash may leave one behind."""
    return path.with_name(f".{path.name}.new")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_document(path: Path, kind: type[_T]) -> _T:
    """Read a checked JSON document.

    Raises:
        RecordingError: naming the file: it cannot be read, was changed, or is something else.
    """
    with naming(path):
        text = path.read_bytes()
    try:
        return decode_document(text, kind)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error


def _write_synced(path: Path, data: bytes, flags: int) -> None:
    fd = os.open(path, flags, _MODE)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def _free(path: Path) -> str:
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return ""
    return f" ({free / _MEGABYTE:.1f} MB free)"
