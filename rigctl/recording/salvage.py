"""Every intact piece of a damaged session, in a new one that verifies; the old one stays as it is.

From: a rig's folder of a session whose writer was killed or whose disk lied.
To: a new folder, sealed, beside it or below another data root.

    data.idx, data.idx.torn      -> salvage_index    which records can be believed
    data.eeg, data.torn          -> salvage_blocks   whose samples match their checksum
                                 -> salvage_order, salvage_plan   what stands where
    events.jsonl, .torn          -> salvage_events   which lines are whole
    session.json, manifest.json  -> salvage_session, salvage_files
    all of it                    -> salvage_stream, `manifest.seal`, `verify`

Only what matches a checksum is taken. A loss up to `FILL_LIMIT_S` is filled, flagged and marked; a
longer one begins a segment. Where an index is gone, nothing proves what the samples are: they are
taken only where `unverified` asks for it, and marked ``UNVERIFIED <n>``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rigctl.errors import RecordingError, SessionNotFound
from rigctl.recording import layout
from rigctl.recording.append_file import FileDigest
from rigctl.recording.checked import encode_document, encode_line
from rigctl.recording.durable import naming, sync_folder, write_new, writing
from rigctl.recording.events import Event
from rigctl.recording.layout import TORN
from rigctl.recording.manifest import Manifest, seal
from rigctl.recording.salvage_blocks import read_anyway
from rigctl.recording.salvage_events import EventsFound, Moved, find_events, moved
from rigctl.recording.salvage_files import copy_others, known_manifest, missing_files
from rigctl.recording.salvage_markers import NewMarkers, SegmentClock, unlogged
from rigctl.recording.salvage_report import SalvageReport, StreamSalvage
from rigctl.recording.salvage_session import (
    SALVAGED,
    KnownSession,
    Made,
    episodes,
    known_session,
    salvaged_record,
    target_of,
)
from rigctl.recording.salvage_stream import StreamSurvey, survey, write
from rigctl.recording.session import Session, set_aside
from rigctl.recording.verify import SessionReport, verify

WRITER = "salvage"
"""Who writes the events that were not there before."""

Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all."""


def salvage(
    path: Path,
    to: Path | None = None,
    *,
    unverified: bool = False,
    progress: Progress | None = None,
) -> SalvageReport:
    """Make a new session of all that is intact in a damaged one.

    Args:
        path: the rig's folder of the damaged session; nothing in it is changed.
        to: the data root of the new one; next to the damaged one, as ``<rig>.salvaged``, if left
            out.
        unverified: take samples that no checksum speaks for as well, and mark them.
        progress: told how far it is.

    Returns:
        What was found and done; an intact, sealed session is left at that.

    Raises:
        SessionNotFound: there is no session.
        SessionExists: the new one is there already.
        RecordingError: nothing in it is intact, or a file cannot be written.
    """
    with naming(path):
        if not layout.holds_session(path):
            raise SessionNotFound(f"{path}: there is no session in it")
    path = path.resolve()
    found = _find(path, to, unverified, progress)
    if isinstance(found, SessionReport):
        return _intact(found)
    return _make(found)


@dataclass(frozen=True, slots=True)
class _Found:
    """All that is known of a damaged session; nothing is written yet."""

    path: Path
    target: Path
    known: KnownSession
    manifest: Manifest | None
    streams: tuple[StreamSurvey, ...]
    events: EventsFound
    problems: tuple[str, ...]
    advance: Callable[[int], None]


def _find(
    path: Path, to: Path | None, unverified: bool, progress: Progress | None
) -> "_Found | SessionReport":
    events = find_events(b"".join(map(read_anyway, _events_files(path))))
    known = known_session(path, events.events)
    target = target_of(path, known.record, to)
    report = verify(path) if (path / layout.MANIFEST).exists() else None
    if report and report.ok:
        return report
    manifest, problems = known_manifest(path)
    with naming(path):
        folders = _folders(path)
        size = sum(sum(layout.data_sizes(folder).values()) for folder in folders)
    advance = _Count(size, progress).advance
    unproven = _unproven_markers(path, folders, events)
    streams = tuple(survey(folder, advance, unverified=unverified) for folder in folders)
    found = _Found(
        path=path,
        target=target,
        known=known,
        manifest=manifest,
        streams=streams,
        events=replace(events, events=(*events.events, *unproven)),
        problems=(
            *known.problems,
            *problems,
            *missing_files(path, manifest),
            *_of_markers(unproven),
        ),
        advance=advance,
    )
    if not any(stream.found.samples for stream in streams) and not events.events:
        raise RecordingError(_nothing(found))
    return found


def _unproven_markers(
    path: Path, folders: Iterable[Path], events: EventsFound
) -> tuple[Event, ...]:
    """Return the markers that damaged or missing events leave to the marker files alone."""
    damaged = events.left_out > 0 or not (path / layout.EVENTS).exists()
    found = (unlogged(folder, WRITER, events.events, damaged=damaged) for folder in folders)
    return tuple(event for each in found for event in each)


def _of_markers(unproven: Sequence[Event]) -> Iterator[str]:
    if unproven:
        yield (
            f"{layout.EVENTS}: {len(unproven)} markers are only in a .vmrk, which has no "
            "checksums; they are taken"
        )


class _Count:
    """How many bytes are read and written."""

    def __init__(self, size: int, progress: Progress | None) -> None:
        self._done, self._all = 0, 2 * size
        self._progress = progress

    def advance(self, size: int) -> None:
        """Count further bytes, and tell."""
        self._done = min(self._done + size, self._all)
        if self._progress:
            self._progress(self._done, self._all)


def _folders(path: Path) -> list[Path]:
    """Return the folders of streams, those moved aside behind those in place."""
    aside = (folder for folder in path.glob(f"*{TORN}*") if folder.is_dir())
    torn = [folder for folder in sorted(aside) if any(layout.data_sizes(folder).values())]
    return [*layout.stream_folders(path), *torn]


def _events_files(path: Path) -> list[Path]:
    return [path / layout.EVENTS, *sorted(path.glob(f"{layout.EVENTS}{TORN}*"))]


def _nothing(found: _Found) -> str:
    reasons = [f"{s.folder.name}: {'; '.join(s.found.problems)}" for s in found.streams]
    told = "; ".join(reason for reason in (*reasons, *found.problems) if reason)
    return f"{found.path}: nothing in it is intact, so there is nothing to salvage ({told})"


def _make(found: _Found) -> SalvageReport:
    made = _made(found)
    session = Session(found.target, salvaged_record(found.known, found.path, made))
    _make_folder(found.target)
    try:
        write_new(found.target / layout.SESSION, encode_document(session.record))
        problems, digests = _fill(found, session, made)
        streams = {stream.folder: stream.found for stream in made.values()}
        others = [*_events_told(found.events), *(("session", text) for text in problems)]
        told = (*session.record.episodes, *episodes(streams, others))
        session.update(state=SALVAGED, episodes=told)
        seal(session, digests)
    except BaseException as error:
        set_aside(session.path, f"it was not finished: {error}")
        raise
    return _report(found, streams, problems, verify(session.path))


def _made(found: _Found) -> dict[str, Made]:
    """Return what the new session's streams are, by the folders of the damaged one."""
    made: dict[str, Made] = {}
    taken: set[str] = set()
    for stream in found.streams:
        if stream.header is not None:
            folder = _free(stream.folder.name.partition(TORN)[0], taken)
            taken.add(folder)
            made[stream.folder.name] = Made(folder, stream.name, stream.plan, stream.found)
    return made


def _free(name: str, taken: set[str]) -> str:
    folder, number = name, 1
    while folder in taken:
        number += 1
        folder = f"{name}.{number}"
    return folder


def _make_folder(target: Path) -> None:
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir()
        sync_folder(target.parent)


def _fill(
    found: _Found, session: Session, made: Mapping[str, Made]
) -> tuple[tuple[str, ...], dict[str, FileDigest]]:
    """Write everything but the seal, and return all that is wrong, and the files' digests."""
    sources = {name: Moved(stream.folder, stream.plan.position) for name, stream in made.items()}
    events = moved(found.events.events, sources)
    write_new(session.path / layout.EVENTS, b"".join(map(encode_line, events)))
    digests: dict[str, FileDigest] = {}
    with NewMarkers(session.path / layout.EVENTS, WRITER, events) as log:
        for stream in found.streams:
            if stream.folder.name in made:
                folder = made[stream.folder.name].folder
                when = SegmentClock(found.known.record.clock, events, folder).when
                writer = write(stream, session.path / folder, log, when, found.advance)
                digests |= writer.digests
        log.append(WRITER, "state", {"state": SALVAGED, "from": str(found.path)})
    folders = {name: stream.folder for name, stream in made.items()}
    problems = copy_others(found.path, session.path, found.manifest, folders)
    lost = (_lost(stream) for stream in found.streams if stream.header is None)
    return (*found.problems, *lost, *problems), digests


def _lost(stream: StreamSurvey) -> str:
    return f"{stream.folder.name}/: left out: {'; '.join(stream.found.problems)}"


def _events_told(events: EventsFound) -> Iterable[tuple[str, str]]:
    if events.put_right:
        yield layout.EVENTS, f"{events.put_right} lines with one flipped bit, put right"
    if events.left_out:
        yield layout.EVENTS, f"{events.left_out} lines are damaged or missing"


def _intact(report: SessionReport) -> SalvageReport:
    return SalvageReport(
        path=report.path, ref=report.ref, rig=report.rig, target=None, complete=True, verified=True
    )


def _report(
    found: _Found,
    streams: Mapping[str, StreamSalvage],
    problems: tuple[str, ...],
    verified: SessionReport,
) -> SalvageReport:
    whole = not (problems or found.events.left_out) and found.known.is_read
    return SalvageReport(
        path=str(found.path),
        ref=found.known.record.reference,
        rig=found.known.record.rig,
        target=str(found.target),
        complete=whole and all(stream.is_complete for stream in streams.values()),
        verified=verified.ok,
        streams=dict(streams),
        events=len(found.events.events),
        events_put_right=found.events.put_right,
        events_left_out=found.events.left_out,
        problems=(*problems, *(f"the new session: {text}" for text in verified.problems)),
    )
