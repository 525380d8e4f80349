"""Sessions that a crash left open: found at start-up, put in order, nothing deleted.

From: the daemon as it starts, and the command line.
To: the session's folder, which can then be sealed; `session.json` says what was done.

    events.jsonl      what follows the last good line        -> events.jsonl.torn
    <stream>/         what follows the last good block       -> data.torn, data.idx.torn
                      lines torn, or beyond the last sample  -> data.vmrk.torn; else made anew
    <stream>/         that never was finished                -> <stream>.torn/
    session.json      state RECOVERED, an episode for each of these

All is read before anything is changed, and `session.json` is written last. What it says is counted
from what lies beside the files: a recovery that was itself interrupted ends in the same when it is
run again.
"""

import glob
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rigctl.errors import RecordingError, SessionNotFound
from rigctl.recording import aside, layout
from rigctl.recording.durable import naming
from rigctl.recording.events import parse_events, read_events, sound_size
from rigctl.recording.layout import is_set_aside
from rigctl.recording.reader import reference_of
from rigctl.recording.recover_stream import Tear, find_tear, is_unfinished, mend
from rigctl.recording.session import Episode, Session

RECOVERED = "RECOVERED"
"""The state of a session after `recover`, and the condition of the episodes that tell of it."""


class StreamRecovery(msgspec.Struct, frozen=True):
    """One stream's folder after a recovery."""

    samples: int
    """How many are kept: all up to the end of the last good block."""
    torn_bytes: int
    """How many bytes lie beside its files, moved aside now or by an earlier recovery."""


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a recovery found and did."""

    path: str
    streams: dict[str, StreamRecovery] = {}
    """By folder; ``<stream>.torn`` is one that never was finished."""
    events_torn_bytes: int = 0
    """How many bytes of `events.jsonl` lie beside it."""
    changed: bool = False
    """Whether anything had to be done."""


def find_unsealed(data_root: Path, rig: str) -> list[Path]:
    """Return a rig's folders of sessions that have no manifest, oldest first.

    Those that were set aside are left out. Only the folders where sessions stand are looked at.

    Args:
        data_root: the rig's; it need not be there.
        rig: the rig's name.

    Raises:
        RecordingError: the data root cannot be read.
    """
    found = []
    with naming(data_root):
        for path in data_root.glob(f"*/????-??-??/*/{glob.escape(rig)}"):
            ref = reference_of(path)
            if ref and path.is_dir() and not _is_closed(path):
                found.append((ref, path))
    return [path for _, path in sorted(found)]


def recover(path: Path) -> Recovery:
    """Put a session in order that a crash left open; a sealed one is left as it is.

    May be run again at any time, after a crash of its own too.

    Args:
        path: a rig's folder of a session that no writer has open.

    Raises:
        SessionNotFound: there is no such folder.
        RecordingError: what is wrong is not a torn end, and what to do about it (nothing was
            touched); or a file cannot be written (run it again).
    """
    if (path / layout.MANIFEST).exists():
        return Recovery(path=str(path))
    session = _open(path)
    survey = _survey(path)
    changed = _mend(path, survey)
    recovery = _recovery(path, survey)
    told = _tell(session, recovery)
    return msgspec.structs.replace(recovery, changed=changed or told)


def put_in_order(path: Path) -> None:
    """Move aside what is torn of a session that goes on, and leave `session.json` to its daemon.

    Args:
        path: a rig's folder of a session whose recorder is gone.

    Raises:
        RecordingError: as `recover`.
    """
    _mend(path, _survey(path))


def put_stream_in_order(folder: Path) -> None:
    """Do the same with one stream's folder after a failed write, beside the others.

    Args:
        folder: the stream's; no writer has it open.

    Raises:
        RecordingError: as `recover`.
    """
    if is_unfinished(folder):
        aside.move_folder(folder)
        return
    mend(find_tear(folder), read_events(folder.parent / layout.EVENTS).events)


def is_in_order(path: Path) -> bool:
    """Whether nothing of a session is torn, so that it can be sealed as it is.

    Raises:
        RecordingError: as `recover`.
    """
    survey = _survey(path)
    events = survey.events or b""
    if survey.unfinished or sound_size(events) < len(events):
        return False
    with naming(path):
        if any(tear.has_further_parts for tear in survey.tears):
            return False
        kept = ((t.folder / name, size) for t in survey.tears for name, size in t.keep.items())
        return all(file.stat().st_size == size for file, size in kept)


@dataclass(frozen=True, slots=True)
class _Survey:
    """What is to be done; nothing is changed yet."""

    unfinished: Sequence[Path]
    tears: Sequence[Tear]
    events: bytes | None
    """What `events.jsonl` holds, if it is there."""


def _is_closed(path: Path) -> bool:
    return (path / layout.MANIFEST).exists() or is_set_aside(path.name)


def _open(path: Path) -> Session:
    if not path.is_dir():
        raise SessionNotFound(f"{path}: there is no such folder")
    try:
        return Session.open(path)
    except RecordingError as error:
        raise RecordingError(
            f"{error}; nothing in the session was touched: put a copy of {layout.SESSION} back and "
            f"recover again, or rename the folder to {path.name}.abandoned-1, which keeps all that "
            "is in it"
        ) from error


def _survey(path: Path) -> _Survey:
    with naming(path):
        folders = [*layout.stream_folders(path), *_empty_folders(path)]
        unfinished = [folder for folder in folders if is_unfinished(folder)]
    tears = [find_tear(folder) for folder in folders if folder not in unfinished]
    events = path / layout.EVENTS
    with naming(events):
        return _Survey(unfinished, tears, events.read_bytes() if events.exists() else None)


def _empty_folders(path: Path) -> Iterator[Path]:
    """Yield the folders that a writer made, and came no further."""
    for folder in path.iterdir():
        named = folder.name != layout.DERIVED and not is_set_aside(folder.name)
        if named and folder.is_dir() and not any(folder.iterdir()):
            yield folder


def _mend(path: Path, survey: _Survey) -> bool:
    """Move aside what is torn, and return whether anything was."""
    changed = bool(survey.unfinished)
    if survey.events is not None:
        events = path / layout.EVENTS
        changed |= aside.cut(events, sound_size(survey.events), aside.target_of(events))
    for folder in survey.unfinished:
        aside.move_folder(folder)
    logged = parse_events(survey.events or b"").events
    for tear in survey.tears:
        changed |= mend(tear, logged)
    return changed


def _recovery(path: Path, survey: _Survey) -> Recovery:
    """Count what is kept and what lies beside it."""
    with naming(path):
        beside = aside.moved_aside(path)
        torn = [item for item in beside if item.is_dir()]
        streams = {
            tear.folder.name: StreamRecovery(tear.samples, _size(aside.moved_aside(tear.folder)))
            for tear in survey.tears
        }
        streams |= {folder.name: StreamRecovery(0, _size(folder.iterdir())) for folder in torn}
        events = _size(item for item in beside if item.is_file())
    return Recovery(path=str(path), streams=streams, events_torn_bytes=events)


def _size(paths: Iterator[Path] | Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _tell(session: Session, recovery: Recovery) -> bool:
    """Write into `session.json` what was done, and return whether that is new."""
    record = session.record
    details = dict(_details(recovery))
    if record.state == RECOVERED and not record.sealed and _told(record.episodes) == details:
        return False
    before = tuple(item for item in record.episodes if item.condition != RECOVERED)
    session.update(state=RECOVERED, sealed=False, episodes=(*before, *_episodes(details)))
    return True


def _details(recovery: Recovery) -> Iterator[tuple[str, str]]:
    """Yield for each source what was done."""
    for name, stream in recovery.streams.items():
        kept = _with_torn(f"{stream.samples} samples kept", stream.torn_bytes)
        yield name, "never finished, the folder is moved aside" if is_set_aside(name) else kept
    if recovery.events_torn_bytes:
        yield layout.EVENTS, _with_torn("all whole lines kept", recovery.events_torn_bytes)


def _with_torn(text: str, size: int) -> str:
    return f"{text}, {size} bytes moved aside (*{layout.TORN})" if size else text


def _told(episodes: Sequence[Episode]) -> dict[str, str]:
    return {item.source: item.detail for item in episodes if item.condition == RECOVERED}


def _episodes(details: Mapping[str, str]) -> Iterator[Episode]:
    now = time.time()
    for source, detail in details.items():
        yield Episode(
            condition=RECOVERED,
            source=source,
            since_unix_s=now,
            until_unix_s=now,
            detail=detail,
        )
