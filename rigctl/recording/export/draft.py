"""An export that is there as a whole or not at all, whatever ends its writing.

From: `recording.export`.  To: the folder of exports.

    .<name>.new/        held by a lock while it is written to, removed at the end; what a kill
        <name>          leaves of it is used up by the next export of that name
    <name>              renamed from there when it is whole and on the disk
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rigctl.errors import RecordingError
from rigctl.recording.durable import draft_of, sync_folder, writing

_BEFORE = ".before"


@contextmanager
def whole(target: Path, *, force: bool) -> Iterator[Path]:
    """Yield the path at which to write what is to stand at `target` afterwards.

    Args:
        target: a file or folder; the folders above it are made.
        force: whether one that is there is replaced.

    Raises:
        RecordingError: it is there, is being written by another process, or cannot be written.
    """
    check_free(target, force=force)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _held(draft_of(target)) as folder:
            yield folder / target.name
            _settle(folder / target.name)
            if target.exists():
                target.rename(folder / _BEFORE)
            (folder / target.name).rename(target)
            sync_folder(target.parent)


def check_free(target: Path, *, force: bool) -> None:
    """Raise if an export is there that is not to be replaced.

    Raises:
        RecordingError: it is.
    """
    if target.exists() and not force:
        raise RecordingError(f"{target} is there already: --force replaces it")


@contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """Hold an empty folder for ourselves, and remove it with all that is left in it."""
    folder.mkdir(exist_ok=True)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(fd, folder)
        for left in folder.iterdir():
            _remove(left)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(fd)


def _lock(fd: int, folder: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RecordingError(
            f"{folder} is held by another export of the same: wait until it has ended"
        ) from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _settle(path: Path) -> None:
    """Have all of a file or folder on the disk."""
    inside = [path, *path.rglob("*")] if path.is_dir() else [path]
    for one in reversed(inside):
        fd = os.open(one, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
