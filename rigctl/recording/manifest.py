"""The seal of a session: what it consists of, written last.

From: the daemon at CLEANUP, with the digests that the writers kept.
To: `manifest.json`, and `verify`.

It lists every file below the session's folder but itself and `derived/` (which can be rebuilt).
`log.jsonl` may grow after the seal: size and hash are those of what it held then.
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording import index, layout, markers
from rigctl.recording.append_file import DIGEST_BYTES, FileDigest
from rigctl.recording.checked import decode_document, encode_document
from rigctl.recording.durable import naming, replace
from rigctl.recording.events import EventsRead, read_events
from rigctl.recording.marker_parts import regenerate_markers
from rigctl.recording.session import Session

FORMAT = "rigctl manifest"
VERSION = 1

_CHUNK = 1 << 20


class StreamTotals(msgspec.Struct, frozen=True):
    """What the index of a stream's folder covers."""

    samples: int
    missing_samples: int
    gaps: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What `manifest.json` says."""

    format: str = FORMAT
    version: int = VERSION
    reference: str
    rig: str
    sealed_unix_s: float
    streams: dict[str, StreamTotals]
    """By folder."""
    files: dict[str, FileDigest]
    """By path below the session's folder, ``/`` between its parts."""


def seal(session: Session, digests: Mapping[str, FileDigest] | None = None) -> Manifest:
    """Make the markers whole, say so in `session.json`, and write the manifest as the last thing.

    Args:
        session: no writer may be open in it any more.
        digests: what `StreamWriter.digests` said; other files are read. They are taken at their
            word: what differs on disk is damage, which `verify` then finds.

    Raises:
        RecordingError: it is sealed already, what describes a stream is damaged, or a file
            cannot be read or written.
    """
    if session.is_sealed:
        raise RecordingError(f"{session.path}: the session is sealed already")
    _regenerate_markers(session.path)
    record = session.update(sealed=True)
    manifest = Manifest(
        reference=record.reference,
        rig=record.rig,
        sealed_unix_s=time.time(),
        streams={folder.name: totals(folder) for folder in layout.stream_folders(session.path)},
        files={
            name: (digests or {}).get(name) or _settled(session.path, name)
            for name in inventory(session.path)
        },
    )
    replace(session.path / layout.MANIFEST, encode_document(manifest))
    return manifest


def read_manifest(session: Path) -> Manifest:
    """Read a session's manifest.

    Raises:
        RecordingError: naming the file: it is not there, damaged, or of a newer version.
    """
    path = session / layout.MANIFEST
    with naming(path):
        text = path.read_bytes()
    try:
        return decode_manifest(text)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error


def decode_manifest(text: bytes) -> Manifest:
    """Return what the text of a manifest says.

    Raises:
        RecordingError: it is damaged, or of a newer version.
    """
    manifest = decode_document(text, Manifest)
    if (manifest.format, manifest.version) != (FORMAT, VERSION):
        raise RecordingError(
            f"{manifest.format} {manifest.version} is not {FORMAT} {VERSION}; a newer rigctl may "
            "read it"
        )
    return manifest


def inventory(session: Path) -> list[str]:
    """Return the paths below a session that a manifest lists, sorted."""
    files = (path for path in session.rglob("*") if path.is_symlink() or not path.is_dir())
    names = (path.relative_to(session).as_posix() for path in files)
    return sorted(name for name in names if not layout.is_kept_outside_manifest(name))


def totals(folder: Path) -> StreamTotals:
    """Return what the index of a stream's folder covers, as far as it is sound."""
    header = layout.read_stream_header(folder)
    path = folder / layout.INDEX
    with naming(path):
        records = index.walk(path.read_bytes(), header.frame_bytes).trusted
    return StreamTotals(
        index.sample_count(records), index.missing_samples(records), index.gap_count(records)
    )


def file_digest(
    path: Path, size: int | None = None, advance: Callable[[int], None] | None = None
) -> FileDigest:
    """Return size and hash of a file.

    Args:
        path: the file.
        size: how many of its first bytes are meant; all if left out.
        advance: told the number of bytes after each piece.

    Raises:
        RecordingError: it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    done = 0
    with naming(path), path.open("rb") as file:
        while chunk := file.read(_CHUNK if size is None else min(_CHUNK, size - done)):
            digest.update(chunk)
            done += len(chunk)
            if advance:
                advance(len(chunk))
    return FileDigest(done, digest.hexdigest())


def _settled(session: Path, name: str) -> FileDigest:
    """Return a file's digest, once it is durable."""
    path = session / name
    with naming(path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    digest = file_digest(path)
    return FileDigest(digest.size, digest.blake2b, grows=name == layout.LOG)


def _regenerate_markers(session: Path) -> None:
    path = session / layout.EVENTS
    read = read_events(path) if path.exists() else EventsRead((), ())
    for folder in layout.stream_folders(session):
        regenerate_markers(folder, markers.logged_markers(read.events, folder.name))
