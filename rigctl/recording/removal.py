"""A session deleted where it was recorded, because all of it is somewhere else.

From: both folders, as their disks have them now.  To: the source's disk.

    compare all -> <rig> renamed to <rig>.deleting -> its files, one by one -> the folder

Only what was compared is deleted: a file that comes meanwhile stays, and so does its folder.
"""

import os
from pathlib import Path

from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.copy_file import digest_on_disk, forget
from rigctl.recording.copy_plan import all_files
from rigctl.recording.durable import draft_of, naming, sync_folder, writing
from rigctl.recording.manifest import read_manifest
from rigctl.recording.verify import Progress, verify

DELETING = ".deleting"
"""Behind the name of a folder whose deletion was begun: its copy was whole."""


def remove(source: Path, copy: Path, progress: Progress | None = None) -> None:
    """Delete a sealed session if every file of it is, unchanged, in its copy.

    Args:
        source: a rig's folder of a session.
        copy: the folder of its copy.
        progress: told how far the comparison is, from its beginning for each of both ends.

    Raises:
        RecordingError: why it was not deleted; nothing was, unless it says so.
    """
    _check_seals(source, copy)
    _check_nothing_else(source)
    for end in (source, copy):
        _check_intact(end, progress)
    _check_grown(source, copy)
    _delete(source)


def _check_seals(source: Path, copy: Path) -> None:
    paths = source / layout.MANIFEST, copy / layout.MANIFEST
    if not os.path.lexists(paths[0]):
        raise RecordingError(f"{source} is not sealed, and is never deleted")
    with naming(paths[1]):
        if paths[0].samefile(paths[1]) or paths[0].read_bytes() != paths[1].read_bytes():
            raise RecordingError(f"{copy} is not a copy of {source}")


def _check_nothing_else(source: Path) -> None:
    with naming(source):
        others = all_files(source) - _listed(source)
    if others:
        raise RecordingError(
            f"{source} holds what is not in the copy, move it away first: {_some(others)}"
        )


def _check_intact(folder: Path, progress: Progress | None) -> None:
    with naming(folder):
        for name in all_files(folder):
            forget(folder / name)
    report = verify(folder, full=True, progress=progress)
    if not report.ok:
        raise RecordingError(f"{folder} is not intact: {_some(report.problems)}")


def _check_grown(source: Path, copy: Path) -> None:
    """Raise if a log went on behind the seal, and further than its copy."""
    for name, sealed in read_manifest(source).files.items():
        with naming(source / name):
            if sealed.grows and digest_on_disk(source / name) != digest_on_disk(copy / name):
                raise RecordingError(f"{source / name} has changed since it was copied")


def _delete(source: Path) -> None:
    doomed = source.with_name(source.name + DELETING)
    with writing(source):
        names = _listed(source)
        source.rename(doomed)
        sync_folder(doomed.parent)
    try:
        for name in names:
            (doomed / name).unlink(missing_ok=True)
        for folder, _, _ in os.walk(doomed, topdown=False):
            Path(folder).rmdir()
        sync_folder(doomed.parent)
    except OSError as error:
        raise RecordingError(
            f"{doomed}: {error.strerror}: what is left of it is in its copy, or came meanwhile"
        ) from error


def _listed(source: Path) -> set[str]:
    """Return what a session consists of, and the manifest's draft, which a kill may have left."""
    manifest = Path(layout.MANIFEST)
    sealed = read_manifest(source).files
    return {*sealed, manifest.name, draft_of(manifest).name}


def _some(names: set[str] | list[str]) -> str:
    first, *others = sorted(names)
    return f"{first} and {len(others)} more" if others else first
