"""The files of a damaged session that hold neither samples nor events: copied where they are whole.

From: the damaged session.  To: the new one.

`log.jsonl` has no checksums of its own and is worth reading also where it is damaged; it is always
copied. Of files that no manifest knows nobody can say whether they are whole: they are copied.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.durable import sync_folder, writing
from rigctl.recording.layout import is_set_aside
from rigctl.recording.manifest import Manifest, file_digest, inventory, read_manifest

_OF_SESSION = (layout.SESSION, layout.EVENTS)
_OF_STREAM = re.compile(r"stream\.json|data\.idx|data(_\d{4,})?\.(eeg|bin|vhdr|vmrk)")


def known_manifest(path: Path) -> tuple[Manifest | None, tuple[str, ...]]:
    """Return a session's manifest, if it has one that is whole, and what is wrong with it."""
    if not (path / layout.MANIFEST).exists():
        return None, ()
    try:
        return read_manifest(path), ()
    except RecordingError as error:
        return None, (str(error).removeprefix(f"{path}/"),)


def copy_others(
    path: Path, target: Path, manifest: Manifest | None, folders: Mapping[str, str]
) -> tuple[str, ...]:
    """Copy what is neither samples nor events, and return what is wrong with the files.

    Args:
        path: the damaged session.
        target: the new one.
        manifest: of the damaged one.
        folders: the new session's folders of streams, by those of the damaged one.

    Raises:
        RecordingError: a file cannot be written.
    """
    problems = []
    for name in _others(path, folders):
        problem = _problem(path, name, manifest)
        if problem:
            problems.append(problem)
        if not problem or name == layout.LOG:
            head, _, rest = name.partition("/")
            renamed = f"{folders.get(head, head)}/{rest}" if rest else head
            problems += _copy(path / name, target / renamed)
    return tuple(problems)


def missing_files(path: Path, manifest: Manifest | None) -> Iterator[str]:
    """Yield the files that were sealed and are not there."""
    there = set(inventory(path))
    for name in manifest.files if manifest else ():
        if name not in there:
            yield f"{name}: is missing"


def _others(path: Path, folders: Mapping[str, str]) -> Iterator[str]:
    for name in inventory(path):
        head, *rest = name.split("/")
        in_stream = len(rest) == 1 and _OF_STREAM.fullmatch(rest[0])
        moved_aside = any(map(is_set_aside, rest or (head,)))
        with_folder = bool(rest) and is_set_aside(head) and head not in folders
        if not (name in _OF_SESSION or in_stream or moved_aside or with_folder):
            yield name


def _problem(path: Path, name: str, manifest: Manifest | None) -> str:
    sealed = manifest.files.get(name) if manifest else None
    if sealed is None:
        return ""
    try:
        digest = file_digest(path / name, sealed.size)
    except RecordingError as error:
        return str(error).removeprefix(f"{path}/")
    whole = digest.blake2b == sealed.blake2b and digest.size == sealed.size
    return "" if whole else f"{name}: was changed since it was sealed"


def _copy(source: Path, target: Path) -> Iterator[str]:
    """Copy one file; that it cannot be read is yielded, that it cannot be written is an error."""
    if not source.is_file():
        yield f"{source.name}: is no file"
        return
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        sync_folder(target.parent)
