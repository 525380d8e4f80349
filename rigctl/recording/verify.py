"""Whether a session is intact: every sample, every event, every file.

From: a rig's folder of a session, sealed or not.
To: the command line, and whoever asks before deleting a copy.

By default the samples are checked by the index's CRCs and every other file of a sealed session by
the manifest's hashes; `full` hashes the samples as well.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path

import msgspec

from rigctl.errors import RecordingError, SessionNotFound
from rigctl.recording import layout
from rigctl.recording.durable import naming
from rigctl.recording.events import read_events
from rigctl.recording.manifest import (
    Manifest,
    StreamTotals,
    file_digest,
    inventory,
    read_manifest,
)
from rigctl.recording.recover import RECOVERED
from rigctl.recording.session import SessionRecord, read_record
from rigctl.recording.verify_stream import StreamFindings, check_stream
from rigctl.recording.verify_texts import text_problems

Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all."""


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stream's folder."""

    samples: int
    missing_samples: int
    gaps: int
    bad_chunks: int
    ok: bool


class SessionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One rig's part in a session; ok means intact, gaps included that are known and marked."""

    path: str
    ref: str
    rig: str
    state: str
    ok: bool
    sealed: bool
    problems: list[str]
    """Each begins with the path below the session of what it is about."""
    streams: dict[str, StreamReport]
    """By folder."""


def verify(path: Path, *, full: bool = False, progress: Progress | None = None) -> SessionReport:
    """Check a rig's folder of a session; damage is reported, not raised.

    Args:
        path: the folder.
        full: read the samples again for the manifest's hashes too.
        progress: told how far it is.

    Raises:
        SessionNotFound: there is no session.
        RecordingError: the folder cannot be read.
    """
    with naming(path):
        if not layout.holds_session(path):
            raise SessionNotFound(f"{path}: there is no session in it")
        folders = layout.stream_folders(path)
        size = sum(sum(layout.data_sizes(folder).values()) for folder in folders)
    count = _Count(size, full, progress)
    problems: list[str] = []
    record = _read_record(path, problems)
    findings = {folder.name: check_stream(folder, count.advance) for folder in folders}
    problems += [text for found in findings.values() for text in found.problems]
    problems += _empty_streams(record, findings)
    problems += _failures(record)
    problems += _event_problems(path / layout.EVENTS)
    problems += _seal_problems(path, record, findings, count)
    count.finish()
    return _report(path, record, findings, problems)


class _Count:
    """How many bytes of samples are checked."""

    def __init__(self, size: int, full: bool, progress: Progress | None) -> None:
        self.full = full
        self._done, self._all = 0, size * 2 if full else size
        self._progress = progress

    def advance(self, size: int) -> None:
        """Count further bytes, and tell."""
        self._done = min(self._done + size, self._all)  # a live recording grows meanwhile
        if self._progress:
            self._progress(self._done, self._all)

    def finish(self) -> None:
        """Tell that all is done; damaged blocks are not counted on the way."""
        self.advance(self._all)


def _read_record(path: Path, problems: list[str]) -> SessionRecord | None:
    try:
        return read_record(path)
    except RecordingError as error:
        problems.append(_below(path, error))
        return None


def _event_problems(path: Path) -> list[str]:
    if not path.exists():
        return []  # nothing happened, or the manifest misses it
    try:
        return [f"{path.name}: {problem}" for problem in read_events(path).problems]
    except RecordingError as error:
        return [_below(path.parent, error)]


def _empty_streams(
    record: SessionRecord | None, findings: Mapping[str, StreamFindings]
) -> Iterator[str]:
    """Yield the required streams that hold nothing in any of their folders."""
    listed = record.streams if record else {}
    samples = dict.fromkeys(listed, 0)
    for found in findings.values():
        samples[found.name] = samples.get(found.name, 0) + found.samples
    for name, count in samples.items():
        if count == 0 and (name not in listed or listed[name].required):
            yield f"{name}/: no samples were recorded"


def _failures(record: SessionRecord | None) -> Iterator[str]:
    """Yield the streams of which the rig itself says that not all was recorded."""
    for name, stream in (record.streams if record else {}).items():
        if stream.failure:
            yield f"{name}/: not all was recorded: {stream.failure}"


def _seal_problems(
    path: Path,
    record: SessionRecord | None,
    findings: Mapping[str, StreamFindings],
    count: _Count,
) -> Iterator[str]:
    """Yield where a sealed session is not what was sealed."""
    if not (path / layout.MANIFEST).exists():
        if record and record.sealed:
            yield f"{layout.MANIFEST}: is missing, though the session was to be sealed"
        told = record.episodes if record else ()
        recovered = any(episode.condition == RECOVERED for episode in told)
        yield from text_problems(path, recovered=recovered)
        return
    try:
        manifest = read_manifest(path)
    except RecordingError as error:
        yield _below(path, error)
        return
    yield from _file_problems(path, manifest, findings.keys(), count)
    yield from _total_problems(manifest, findings)


def _file_problems(
    path: Path, manifest: Manifest, walked: Set[str], count: _Count
) -> Iterator[str]:
    """Yield the files that are not what was sealed; `walked` are the folders of streams."""
    there = set(inventory(path))
    for name in sorted(there - manifest.files.keys()):
        yield f"{name}: is not in the manifest"
    for name in manifest.files:
        if name not in there:
            yield f"{name}: is missing"
            continue
        try:
            yield from _changed(path, manifest, name, count, walked)
        except (RecordingError, OSError) as error:
            yield f"{name}: cannot be read: {error}"


def _changed(
    path: Path, manifest: Manifest, name: str, count: _Count, walked: Set[str]
) -> Iterator[str]:
    sealed, size = manifest.files[name], (path / name).stat().st_size
    if size < sealed.size or (size > sealed.size and not sealed.grows):
        yield f"{name}: has {size} bytes, sealed were {sealed.size}"
        return
    # Samples in other folders, such as one that was moved aside, have no CRCs that are walked.
    samples = layout.is_data_file(name) and name.rpartition("/")[0] in walked
    if samples and not count.full:
        return  # its CRCs are walked
    digest = file_digest(path / name, sealed.size, count.advance if samples else None)
    if digest.blake2b != sealed.blake2b:
        yield f"{name}: was changed since it was sealed"


def _total_problems(manifest: Manifest, findings: Mapping[str, StreamFindings]) -> Iterator[str]:
    for name, sealed in manifest.streams.items():
        found = findings.get(name)
        if found is None:
            yield f"{name}/: is missing"
        elif StreamTotals(found.samples, found.missing_samples, found.gaps) != sealed:
            yield f"{name}/: {found.samples} samples, sealed were {sealed.samples}"


def _report(
    path: Path,
    record: SessionRecord | None,
    findings: Mapping[str, StreamFindings],
    problems: list[str],
) -> SessionReport:
    streams = dict(findings)
    for name in record.streams if record else ():
        streams.setdefault(name, StreamFindings(name))
    return SessionReport(
        path=str(path),
        ref=record.reference if record else "",
        rig=record.rig if record else path.name,
        state=record.state if record else "DAMAGED",
        ok=not problems,
        sealed=(path / layout.MANIFEST).exists(),
        problems=problems,
        streams={name: _stream(name, found, problems) for name, found in streams.items()},
    )


def _stream(name: str, found: StreamFindings, problems: list[str]) -> StreamReport:
    return StreamReport(
        samples=found.samples,
        missing_samples=found.missing_samples,
        gaps=found.gaps,
        bad_chunks=found.bad_chunks,
        ok=not any(problem.startswith(f"{name}/") for problem in problems),
    )


def _below(session: Path, error: RecordingError) -> str:
    return str(error).removeprefix(f"{session}/")
