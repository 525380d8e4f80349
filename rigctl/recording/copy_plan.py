"""What of a session is to be copied, and what each file must be.

From: a rig's folder of a session, whose manifest may have been damaged or forged.
To: `copying`, which carries it out; `removal`, which asks what is there beside it.

What is sealed has its digests in the manifest; what is not is read once for them.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rigctl.errors import RecordingError, SessionNotFound
from rigctl.messages import ExpRef
from rigctl.recording import layout
from rigctl.recording.append_file import FileDigest
from rigctl.recording.durable import naming
from rigctl.recording.manifest import decode_manifest, file_digest, inventory
from rigctl.recording.reader import reference_of
from rigctl.recording.session import Session

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be copied."""

    source: Path
    place: str
    """Where it belongs below a data root: ``subject/yyyy-mm-dd/nnn/rig``."""
    files: dict[str, FileDigest]
    """By path below the session's folder, checked; without the manifest."""
    manifest: bytes | None
    """The manifest as it is; None if the session is not sealed."""
    problems: tuple[str, ...] = ()
    """Each begins with the path of what cannot be copied as it should be."""
    unlisted: tuple[str, ...] = ()
    """What lies in the folder but was not sealed."""
    derived: int = 0
    """How many files are left out because they can be made anew."""

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(digest.size for digest in self.files.values())


def make_plan(source: Path, advance: Advance) -> Plan:
    """Find out what is to be copied.

    Args:
        source: a rig's folder of a session.
        advance: told the number of bytes after each piece that had to be read.

    Raises:
        SessionNotFound: there is no session.
        RecordingError: the manifest is damaged, or names what is not in the session's folder; or
            the folder cannot be read.
    """
    if not any(os.path.lexists(source / name) for name in (layout.SESSION, layout.MANIFEST)):
        raise SessionNotFound(f"{source}: there is no session in it")
    with naming(source):
        there = all_files(source)
        manifest = _manifest_text(source)
        sealed = {} if manifest is None else _sealed_files(source, manifest)
        names = sorted(sealed) if manifest is not None else inventory(source)
    files, problems = {}, []
    for name in names:
        try:
            files[name] = _expected(source, name, sealed.get(name), advance)
        except RecordingError as error:
            problems.append(f"{name}: {error}")
    unlisted = (n for n in there - set(names) if not layout.is_kept_outside_manifest(n))
    return Plan(
        source=source,
        place=_place(source),
        files=files,
        manifest=manifest,
        problems=tuple(problems),
        unlisted=tuple(sorted(unlisted)),
        derived=sum(name.startswith(f"{layout.DERIVED}/") for name in there),
    )


def all_files(folder: Path) -> set[str]:
    """Return the paths of all that is not a folder below one; links are not followed."""
    found: set[str] = set()
    for place, folders, files in os.walk(folder, onerror=_raise):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        below = Path(place).relative_to(folder)
        found.update((below / name).as_posix() for name in (*files, *links))
    return found


def _manifest_text(source: Path) -> bytes | None:
    path = source / layout.MANIFEST
    if not os.path.lexists(path):
        return None
    try:
        _check_regular(source, layout.MANIFEST)
    except RecordingError as error:
        raise RecordingError(f"{path} {error}") from error
    return path.read_bytes()


def _sealed_files(source: Path, text: bytes) -> dict[str, FileDigest]:
    try:
        files = decode_manifest(text).files
    except RecordingError as error:
        raise RecordingError(f"{source / layout.MANIFEST}: {error}") from error
    for name in files:
        if _leads_away(name):
            raise RecordingError(
                f"{source / layout.MANIFEST}: it names {name!r}, which is no file that a session "
                "can have: nothing is copied"
            )
    return files


def _leads_away(name: str) -> bool:
    """Whether a name is not that of a file below the folder, as a manifest lists it."""
    parts = name.split("/")
    odd = any(part in ("", ".", "..") for part in parts) or "\0" in name
    return odd or layout.is_kept_outside_manifest(name)


def _expected(source: Path, name: str, sealed: FileDigest | None, advance: Advance) -> FileDigest:
    """Return what a file must be: what was sealed, or what it is now.

    Raises:
        RecordingError: it cannot be read as a file of the session, or was changed.
    """
    _check_regular(source, name)
    if sealed and not sealed.grows:
        return sealed
    # Of one that grew behind the seal, all is copied, and its beginning must be what it was.
    if sealed and file_digest(source / name, sealed.size).blake2b != sealed.blake2b:
        raise RecordingError("was changed since it was sealed")
    now = file_digest(source / name, advance=advance)
    return FileDigest(now.size, now.blake2b, grows=sealed is not None)


def _check_regular(source: Path, name: str) -> None:
    path = source
    try:
        for part in name.split("/"):
            path /= part
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise RecordingError("is, or lies behind, a symbolic link, which is not followed")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordingError("is missing") from error
    except OSError as error:
        raise RecordingError(f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise RecordingError("is not a file")


def _place(source: Path) -> str:
    """Return where a session belongs: where it is, if that is a data root, else by its record."""
    ref = reference_of(source)
    if ref:
        return f"{ref.folder}/{source.name}"
    record = Session.open(source).record
    return f"{ExpRef.parse(record.reference).folder}/{layout.check_name('rig', record.rig)}"


def _raise(error: OSError) -> None:
    raise error
