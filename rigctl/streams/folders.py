"""Where rings are: a private folder each, by name; made, found, replaced and swept.

From: the names that users give.  To: writers and readers.

    /dev/shm/rigctl-<uid>-<name>                          a ring, complete
    /dev/shm/rigctl-<uid>-<name>~<pid>-<start>-<hex>      one that is being made or removed

A ring is made under the second name and renamed to the first: the rename succeeds for one of
many and shows only what is complete.
"""

import contextlib
import errno
import logging
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from rigctl.errors import RingError
from rigctl.processes import ProcessId
from rigctl.streams.layout import WRITER
from rigctl.streams.registry import Registry

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_PASSING = re.compile(r"(?P<name>.+)~(?P<pid>\d+)-(?P<start>\d+)-[0-9a-f]+")


def base_folder() -> Path:
    """Return the folder of all rings: ``$RIGCTL_RINGS``, else in memory where there is one."""
    if given := os.environ.get("RIGCTL_RINGS"):
        return Path(given)
    shared = Path("/dev/shm")  # noqa: S108  (each ring's folder is private and checked)
    return shared if shared.is_dir() else Path(tempfile.gettempdir())


def folder_of(name: str) -> Path:
    """Return where the ring of that name is, or would be.

    Raises:
        RingError: it is no name.
    """
    if not _NAME.fullmatch(name):
        raise RingError(f"{name!r} is no name for a ring: letters, digits, '.', '_' and '-' only")
    return base_folder() / (_prefix() + name)


def find(name: str) -> Path:
    """Return the folder of an existing ring.

    Raises:
        RingError: there is none, or it belongs to somebody else.
    """
    folder = folder_of(name)
    try:
        _check_owner(folder)
    except FileNotFoundError:
        raise RingError(f"there is no ring {name!r}") from None
    return folder


def stage(name: str) -> Path:
    """Create the folder of a ring that nobody can find yet.

    Raises:
        RingError: it is no name.
    """
    process = ProcessId.current()
    folder = _passing(folder_of(name), process)
    folder.mkdir(mode=0o700)
    (folder / WRITER).write_text(f"{process.pid} {process.start}\n", "ascii")
    return folder


def claim(staged: Path, name: str) -> Path:
    """Give a complete ring its name, in place of one whose writer is gone; returns its folder.

    Raises:
        RingError: a ring of that name is in use.
    """
    folder = folder_of(name)
    while not _renamed(staged, folder):
        with contextlib.suppress(FileNotFoundError):  # its owner has just removed it
            _evict(folder, name)
    return folder


def writer_of(folder: Path) -> ProcessId | None:
    """Return the process that writes a ring, None if that cannot be read."""
    try:
        pid, start = (folder / WRITER).read_text("ascii").split()
        return ProcessId(int(pid), int(start))
    except (OSError, ValueError):
        return None


def remove(folder: Path) -> None:
    """Remove a ring; who has it mapped keeps it until it lets go."""
    _retire(folder, even_alive=True)


def remove_dead(folder: Path) -> bool:
    """Remove a ring if its writer is gone; returns whether it was removed."""
    return _retire(folder, even_alive=False)


def sweep() -> list[str]:
    """Remove this user's rings whose writer is gone; returns their names."""
    swept = []
    for folder in list(_folders()):
        name = folder.name.removeprefix(_prefix())
        passing = _PASSING.fullmatch(name)
        if passing:
            if not ProcessId(int(passing["pid"]), int(passing["start"])).is_alive():
                shutil.rmtree(folder, ignore_errors=True)
        elif remove_dead(folder):
            swept.append(name)
    return sorted(swept)


def _evict(folder: Path, name: str) -> None:
    _check_owner(folder)
    process = writer_of(folder)
    if process is not None and process.is_alive():
        raise RingError(f"the ring {name!r} is in use by process {process.pid}")
    if remove_dead(folder):
        logger.warning("removed the ring %s, whose writer is gone", name)


def _check_owner(folder: Path) -> None:
    """Refuse what somebody else put there: everybody may create folders where rings are."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise RingError(f"{folder} is not a ring of this user")


def _folders() -> Iterator[Path]:
    for folder in base_folder().glob(f"{_prefix()}*"):
        # Others come and go meanwhile, and everybody may create folders here.
        with contextlib.suppress(FileNotFoundError, RingError):
            _check_owner(folder)
            yield folder


def _retire(folder: Path, *, even_alive: bool) -> bool:
    """Take a ring's name away, then its files; of many that try, one returns True."""
    try:
        registry = Registry(folder)
    except (FileNotFoundError, ValueError):
        return _retire_broken(folder, even_alive)
    try:
        with registry.changing():
            if not even_alive and _is_written(folder):
                return False
            gone = folder.rename(_passing(folder, ProcessId.current()))
            registry.mark_gone()
    except (RingError, FileNotFoundError):
        return False  # somebody else was faster
    finally:
        registry.close()
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _retire_broken(folder: Path, even_alive: bool) -> bool:
    """Remove a folder that lacks the file that orders removals: no ring of this version."""
    if not folder.exists() or (not even_alive and _is_written(folder)):
        return False
    shutil.rmtree(folder)
    return True


def _is_written(folder: Path) -> bool:
    process = writer_of(folder)
    return process is not None and process.is_alive()


def _renamed(staged: Path, folder: Path) -> bool:
    try:
        staged.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _passing(folder: Path, process: ProcessId) -> Path:
    return folder.with_name(f"{folder.name}~{process.pid}-{process.start}-{uuid.uuid4().hex[:8]}")


def _prefix() -> str:
    return f"rigctl-{os.getuid()}-"
