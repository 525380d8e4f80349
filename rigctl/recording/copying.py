"""A session handed to another disk: hashed at both ends, resumable, and there only when whole.

From: a rig's folder of a session.  To: its place below a destination.

    <destination>/.rigctl-copying/<subject>/<yyyy-mm-dd>/<nnn>/<rig>/     while it is copied
        file ... .file.new          whole and verified; in part (`copy_file`)
        manifest.json               last: without it the copy is not complete
    <destination>/<subject>/<yyyy-mm-dd>/<nnn>/<rig>/                     renamed to this at the end

`derived/` is not copied: exports can be made anew from what is.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.copy_file import carry, digest_on_disk, forget
from rigctl.recording.copy_plan import Advance, Plan, all_files, make_plan
from rigctl.recording.durable import naming, replace, sync_folder, writing
from rigctl.recording.holder import is_held
from rigctl.recording.removal import DELETING
from rigctl.recording.verify import Progress

_DRAFTS = ".rigctl-copying"
_MEGABYTE = 1_000_000


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What came of copying one rig's part in a session."""

    source: str
    path: str
    """Where the copy is, or is to be."""
    ok: bool
    """Whether all is well: the copy is whole, and nothing but `derived/` is left out."""
    whole: bool = False
    """Whether all that the session consists of is there, and verified."""
    was_there: bool = False
    """Whether it was there before, and was only verified."""
    sealed: bool = False
    files: int = 0
    bytes: int = 0
    derived: int = 0
    """How many files in `derived/` are left out."""
    deleted: bool = False
    """Whether the source was deleted."""
    problems: list[str] = []
    """Each begins with the path below the session of what it is about."""


def copy(
    source: Path, destination: Path, *, unsealed: bool = False, progress: Progress | None = None
) -> Copied:
    """Copy a rig's folder of a session to its place below a destination.

    May be interrupted at any point; the same call then goes on where it was.  Nothing of the
    source is changed, and nothing at the destination is overwritten.

    Args:
        source: the folder.
        destination: a folder that is there; the session comes to be below it as in a data root.
        unsealed: whether a session that is not sealed is copied too; one that may be written never.
        progress: told how far it is.

    Raises:
        SessionNotFound: there is no session.
        RecordingError: it is refused; or the destination cannot be written, such as for want of
            space, and what was copied stays for the next call.
    """
    source = source.resolve()
    _check_settled(source, unsealed)
    count = _Count(progress)
    plan = make_plan(source, count.advance)
    target = _target(plan, destination)
    count.begin(2 * plan.bytes)
    if os.path.lexists(target):
        problems = list(_compare(plan, target, count.advance))
        return _result(plan, target, problems, was_there=True)
    with _drafting(destination / _DRAFTS / plan.place, destination) as draft:
        _check_room(plan, draft)
        problems = [*plan.problems, *_carry_all(plan, draft, count.advance)]
        if not problems:
            _publish(plan, draft, target)
    return _result(plan, target, problems)


class _Count:
    """How many bytes were read of how many, at both ends."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = self._all = 0

    def begin(self, total: int) -> None:
        """Count anew."""
        self._done, self._all = 0, total

    def advance(self, size: int) -> None:
        """Count further bytes, and tell."""
        self._done += size
        if self._progress:
            self._progress(self._done, max(self._all, self._done))


def _check_settled(source: Path, unsealed: bool) -> None:
    if source.name.endswith(DELETING):
        raise RecordingError(
            f"{source} is what was left as its deletion was interrupted: its copy was whole, and "
            "it may be removed"
        )
    if os.path.lexists(source / layout.MANIFEST):
        return
    if is_held(source):
        raise RecordingError(
            f"{source} is not sealed and its rig's daemon runs, which may write to it: "
            "end it there first (rigctl stop, rigctl cleanup)"
        )
    if not unsealed and (source / layout.SESSION).exists():
        raise RecordingError(
            f"{source} is not sealed, so that nothing can prove its copy: have its rig's daemon "
            "seal it (rigctl serve), or say --unsealed"
        )


def _target(plan: Plan, destination: Path) -> Path:
    """Return where the copy comes to be, if that is a place of its own."""
    target, source = destination / plan.place, plan.source
    there = target.resolve()
    if there == source:
        raise RecordingError(f"{plan.source} is in {destination} itself: name another place")
    if there.is_relative_to(source) or source.is_relative_to(there):
        raise RecordingError(f"{target} would lie inside the session itself: name another place")
    _check_inside(target, destination)
    return target


def _check_inside(folder: Path, destination: Path) -> None:
    if not folder.resolve().is_relative_to(destination.resolve()):
        raise RecordingError(f"{folder} leads outside {destination} by a symbolic link")


@contextmanager
def _drafting(draft: Path, destination: Path) -> Iterator[Path]:
    """Make the folder that the copy is prepared in, for us alone."""
    _check_inside(draft, destination)
    with writing(draft):
        draft.mkdir(parents=True, exist_ok=True)
        fd = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecordingError(
                f"{draft} is being written by another copy: wait for it"
            ) from error
        except OSError:
            pass  # a file system without locks; others keep out by themselves there
        yield draft
    finally:
        os.close(fd)
        _tidy(draft, destination)


def _check_room(plan: Plan, draft: Path) -> None:
    with naming(draft):
        free = shutil.disk_usage(draft).free
        there = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
    if (needed := plan.bytes - there) > free:
        raise RecordingError(
            f"{draft}: the copy needs {needed / _MEGABYTE:.1f} MB more, and "
            f"{free / _MEGABYTE:.1f} MB are free: make room and say the same again"
        )


def _carry_all(plan: Plan, draft: Path, advance: Advance) -> Iterator[str]:
    """Copy all files; yield what is wrong, and go on to find all that is."""
    try:
        for name, digest in plan.files.items():
            target = draft / name
            _check_inside(target.parent, draft)
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            if problem := carry(plan.source / name, target, digest, advance):
                yield f"{name}: {problem}"
    except RecordingError as error:
        raise RecordingError(
            f"{error}: say the same again once that is mended: it goes on"
        ) from error


def _publish(plan: Plan, draft: Path, target: Path) -> None:
    """Write the manifest, and give the whole its name."""
    with writing(draft):
        for name in all_files(draft) - plan.files.keys():
            (draft / name).unlink()  # an earlier run prepared what the session no longer has
        if all_files(draft) != plan.files.keys():
            raise RecordingError(f"{draft}: its file system does not tell some names apart")
    if plan.manifest is not None:
        _write_manifest(plan.manifest, draft / layout.MANIFEST)
    with writing(target):
        for folder, _, _ in os.walk(draft):
            sync_folder(Path(folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(target)
        for parent in (draft.parent, *target.parents[: len(Path(plan.place).parts)]):
            sync_folder(parent)


def _write_manifest(text: bytes, path: Path) -> None:
    replace(path, text)
    forget(path)
    with naming(path):
        if path.read_bytes() != text:
            raise RecordingError(f"{path}: it cannot be read back as it was written")


def _tidy(draft: Path, destination: Path) -> None:
    """Remove the folders that drafts were in, as far as they are empty."""
    with suppress(OSError):
        for folder in (draft, *draft.parents):
            if folder == destination:
                return
            if folder.exists():
                folder.rmdir()


def _compare(plan: Plan, target: Path, advance: Advance) -> Iterator[str]:
    """Yield why what is there is not the copy, or is not whole."""
    if not _is_the_same(plan, target):
        raise RecordingError(f"{target} is there and is another recording: nothing is overwritten")
    yield from plan.problems
    for name, digest in plan.files.items():
        if problem := _difference(plan, target, name, advance):
            yield f"{name}: the copy that is there {problem}: {target}"
        advance(digest.size)


def _difference(plan: Plan, target: Path, name: str, advance: Advance) -> str:
    expected = plan.files[name]
    try:
        if expected.grows and (target / name).stat().st_size < expected.size:
            return carry(plan.source / name, target / name, expected, advance)
        is_same = digest_on_disk(target / name, advance) == expected.blake2b
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if is_same else "is damaged"


def _is_the_same(plan: Plan, target: Path) -> bool:
    name = layout.SESSION if plan.manifest is None else layout.MANIFEST
    try:
        return (target / name).read_bytes() == (plan.source / name).read_bytes()
    except OSError:
        return False


def _result(plan: Plan, target: Path, problems: list[str], *, was_there: bool = False) -> Copied:
    others = [f"{name}: was not sealed, and is not copied" for name in plan.unlisted]
    return Copied(
        source=str(plan.source),
        path=str(target),
        ok=not (problems or others),
        whole=not problems,
        was_there=was_there,
        sealed=plan.manifest is not None,
        files=len(plan.files) + (plan.manifest is not None),
        bytes=plan.bytes + len(plan.manifest or b""),
        derived=plan.derived,
        problems=[*problems, *others],
    )
