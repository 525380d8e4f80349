"""What is known of a damaged session, and what `session.json` of the salvaged one says.

From: `session.json`, the place of the folder.  To: `salvage`.
"""

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rigctl.errors import BadReference, RecordingError, SessionExists
from rigctl.messages import ExpRef
from rigctl.recording import layout
from rigctl.recording.checked import decode_document, document_put_right
from rigctl.recording.events import Event
from rigctl.recording.reader import reference_of
from rigctl.recording.salvage_blocks import read_anyway
from rigctl.recording.salvage_plan import Plan
from rigctl.recording.salvage_report import StreamSalvage, details
from rigctl.recording.session import (
    ClockPair,
    Episode,
    Session,
    SessionRecord,
    SessionStream,
    Window,
)

SALVAGED = "SALVAGED"
"""The state of a session that was made by `salvage`, and the condition of its episodes."""
SALVAGING = "SALVAGING"
"""The state until all of it is written."""
SUFFIX = ".salvaged"
"""What a salvaged rig's folder has behind its name where it stands next to the damaged one."""


@dataclass(frozen=True, slots=True)
class KnownSession:
    """What is known of a damaged session."""

    record: SessionRecord
    is_read: bool
    """Whether that is what `session.json` says; else it is made up from the rest."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """One stream of the new session."""

    folder: str
    """Its folder's name there."""
    name: str
    plan: Plan
    found: StreamSalvage


def known_session(path: Path, events: Iterable[Event]) -> KnownSession:
    """Return what `session.json` says, with one bit put right; else what the rest tells.

    Args:
        path: a rig's folder.
        events: which have both clocks.
    """
    try:
        return KnownSession(Session.open(path).record, True)
    except RecordingError as error:
        problem = str(error).removeprefix(f"{path}/").removeprefix(f"{path}: ")
    right = document_put_right(read_anyway(path / layout.SESSION))
    try:
        if right:
            return KnownSession(decode_document(right, SessionRecord), True)
    except RecordingError:
        pass  # a newer version: what it does not say must be made up, too
    ref = reference_of(path.resolve())
    first = next(iter(events), None)
    clock = ClockPair(first.unix_s, first.monotonic_s) if first else ClockPair(0.0, 0.0)
    record = SessionRecord(
        reference=str(ref or ""),
        rig=path.name,
        state=SALVAGED,
        clock=clock,
        host="",
        versions={},
    )
    return KnownSession(record, False, (problem,))


def target_of(path: Path, record: SessionRecord, to: Path | None) -> Path:
    """Return where the new session goes.

    Args:
        path: the damaged one.
        record: what is known of it.
        to: a data root; next to the damaged one if left out.

    Raises:
        SessionExists: it is there already.
        RecordingError: it would lie inside the damaged one.
    """
    target = path.with_name(path.name + SUFFIX)
    if to is not None:
        target = to / _folder(record.reference) / layout.check_name("rig", record.rig)
    if target.exists() or target.is_symlink():
        raise SessionExists(
            f"{target} is there already and is not overwritten: rename it, or salvage --to "
            "another folder"
        )
    if target.resolve().is_relative_to(path.resolve()):
        raise RecordingError(f"{target} lies inside the damaged session: choose another folder")
    return target


def salvaged_record(known: KnownSession, path: Path, made: Mapping[str, Made]) -> SessionRecord:
    """Return what `session.json` of the new session says, but for its last state.

    Args:
        known: what is known of the damaged one.
        path: where that is.
        made: by the folder of the damaged session.
    """
    old = known.record
    note = f"salvaged from {path} at {datetime.now(UTC).isoformat(timespec='seconds')}"
    samples: dict[str, int] = dict.fromkeys(old.streams, 0)
    for stream in made.values():
        samples[stream.name] = samples.get(stream.name, 0) + stream.found.samples
    streams = {name: _stream(old.streams.get(name), count) for name, count in samples.items()}
    return msgspec.structs.replace(
        old,
        state=SALVAGING,
        sealed=False,
        note="; ".join(filter(None, (old.note, note))),
        host=old.host if known.is_read else socket.gethostname(),
        window=_window(old.window, made),
        streams=streams,
        episodes=(*old.episodes, *_failures(old)),
    )


def episodes(
    streams: Mapping[str, StreamSalvage], others: Iterable[tuple[str, str]]
) -> Iterator[Episode]:
    """Yield an episode for all that is not as it was recorded.

    Args:
        streams: by folder of the new session.
        others: sources, and what is to be said of them.
    """
    told = [*((name, "; ".join(details(found))) for name, found in streams.items()), *others]
    now = time.time()
    for source, detail in told:
        if detail:
            yield Episode(
                condition=SALVAGED,
                source=source,
                since_unix_s=now,
                until_unix_s=now,
                detail=detail,
            )


def _failures(old: SessionRecord) -> Iterator[Episode]:
    """Yield what the rig itself said; in the new session nothing is missing any more."""
    failed = [(name, stream.failure) for name, stream in old.streams.items() if stream.failure]
    yield from episodes({}, [(name, f"the rig said: {failure}") for name, failure in failed])


def _folder(reference: str) -> str:
    try:
        return ExpRef.parse(reference).folder
    except BadReference:
        return ""


def _stream(old: SessionStream | None, samples: int) -> SessionStream:
    known = old or SessionStream()
    return msgspec.structs.replace(known, required=known.required and samples > 0, failure="")


def _window(window: Window | None, made: Mapping[str, Made]) -> Window | None:
    if window is None:
        return None
    positions: dict[str, tuple[float, float | None]] = {}
    for source, (start, stop) in window.positions.items():
        if source in made:
            stream = made[source]
            end = None if stop is None else stream.plan.position(stop)
            positions[stream.folder] = (stream.plan.position(start), end)
    return msgspec.structs.replace(window, positions=positions)
