"""What is taken out of a session's files: moved aside, never deleted.

From: `recover` and `markers`, which know what of a file is good.  To: files and folders beside it.

    data.eeg -> data.torn         data.idx -> data.idx.torn     data.vmrk -> data.vmrk.torn
    events.jsonl -> events.jsonl.torn                           <stream>/ -> <stream>.torn/
    and once such a name is taken: data.torn-2, data.torn-3, ...

The steps of a cut, each on disk before the next::

    copy the tail to a draft -> give it its name -> cut the file

A crash between any two leaves the tail in the file, beside it, or in both places; the same call
again leaves it beside the file, once.
"""

import os
from collections.abc import Iterator
from itertools import count
from logging import getLogger
from pathlib import Path

from rigctl.recording.durable import draft_of, sync_folder, write_all, writing
from rigctl.recording.layout import TORN, is_set_aside

logger = getLogger(__name__)

_CHUNK = 1 << 20
_DRAFT = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_OPEN = os.O_RDWR | os.O_CLOEXEC


def cut(path: Path, keep: int, target: Path) -> bool:
    """Move what follows a file's first bytes aside; what stays is durable when this returns.

    Space that was reserved behind the file's end is given back.

    Args:
        path: the file; no writer may have it open.
        keep: how many bytes stay.
        target: where the others go; numbered if it is taken.

    Returns:
        Whether there were any.

    Raises:
        RecordingError: it failed; nothing is lost, and the same call may be made again.
    """
    with writing(path):
        size = path.stat().st_size
        if size > keep:
            _save(_pieces(path, keep), target)
            logger.warning("%s: %d bytes are moved aside", path, size - keep)
        _end_at(path, min(size, keep))
    return size > keep


def save(data: bytes, target: Path) -> None:
    """Write what is about to be taken out of a file; it is durable when this returns.

    Args:
        data: the bytes; saved once, however often they are given.
        target: where they go; numbered if it is taken by others.

    Raises:
        RecordingError: they cannot be written.
    """
    with writing(target):
        _save(iter((data,)), target)


def move_folder(folder: Path) -> Path:
    """Rename a folder to ``<folder>.torn``, numbered if that is taken, and return its new path.

    Raises:
        RecordingError: it cannot be renamed.
    """
    target = next(path for path in _numbered(_beside(folder)) if not path.exists())
    with writing(folder):
        folder.rename(target)
        sync_folder(target.parent)
    logger.warning("%s is moved aside as %s", folder, target.name)
    return target


def moved_aside(folder: Path) -> list[Path]:
    """Return what was moved aside in a folder, files and folders, sorted."""
    return sorted(path for path in folder.iterdir() if is_set_aside(path.name))


def target_of(path: Path) -> Path:
    """Return where a file's torn end goes: ``<stem>.torn`` for samples, else ``<name>.torn``."""
    return path.with_suffix(TORN) if path.suffix in (".eeg", ".bin") else _beside(path)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + TORN)


def _numbered(target: Path) -> Iterator[Path]:
    yield target
    for number in count(2):
        yield target.with_name(f"{target.name}-{number}")


def _pieces(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(_CHUNK):
            yield piece


def _save(pieces: Iterator[bytes], target: Path) -> None:
    """Write a new file by way of a draft, unless the last one that was written is the same.

    Which it is where a crash came between writing it and cutting it off.
    """
    draft = draft_of(target)
    try:
        _write(draft, pieces)
        taken, free = _last_and_next(target)
        if taken and _are_equal(taken, draft):
            draft.unlink()
        else:
            draft.rename(free)
    except OSError:
        draft.unlink(missing_ok=True)  # a copy; what it was copied from stands
        raise
    sync_folder(target.parent)


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    fd = os.open(path, _DRAFT, 0o644)
    try:
        for piece in pieces:
            write_all(fd, piece)
        os.fsync(fd)
    finally:
        os.close(fd)


def _last_and_next(target: Path) -> tuple[Path | None, Path]:
    """Return the last of the numbered names that is taken, and the first that is free."""
    last = None
    for path in _numbered(target):
        if not path.exists():
            return last, path
        last = path
    raise AssertionError("the numbers do not end")


def _are_equal(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    return all(a == b for a, b in zip(_pieces(one, 0), _pieces(other, 0), strict=True))


def _end_at(path: Path, size: int) -> None:
    fd = os.open(path, _OPEN)
    try:
        os.ftruncate(fd, size)
        os.fsync(fd)
    finally:
        os.close(fd)
