"""Markers on their way into `events.jsonl`, and from there into a `.vmrk` file that is whole.

From: `stream_writer`, and at the seal and after a crash `events.jsonl`.
To: `.vmrk`, which a reader finds complete at any time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from logging import getLogger
from pathlib import Path

import msgspec

from rigctl.blocks import Marker
from rigctl.errors import RecordingError
from rigctl.recording import aside, brainvision
from rigctl.recording.durable import naming, replace
from rigctl.recording.events import Event, NewEvent

logger = getLogger(__name__)

KIND = "marker"
CUT = "markers cut"
"""What was logged of a stream's folder before, at a position or beyond, stands no more."""
NEW_SEGMENT = "New Segment"
COMMENT = "Comment"
ROLL_OVER = "roll-over"
"""What describes the New Segment of a further part, where nothing but the file begins anew."""

_Line = tuple[int, str]
"""A marker's position, and its line without number and end."""


class LoggedMarker(msgspec.Struct, frozen=True):
    """The value of an event of kind ``marker``; its source is the stream's folder."""

    position: int
    """In samples from the start of the stream's recording, from 0."""
    type: str
    description: str = ""
    points: int = 1
    channel: int = -1
    when: datetime | None = None
    """The wall clock at the position, where a segment begins."""

    @property
    def marker(self) -> Marker:
        """The marker without its time."""
        return Marker(self.position, self.type, self.description, self.points, self.channel)

    @classmethod
    def of(cls, marker: Marker, when: datetime | None = None) -> "LoggedMarker":
        """Return what is logged of a marker."""
        return cls(
            marker.position, marker.type, marker.description, marker.points, marker.channel, when
        )


@dataclass(frozen=True, slots=True)
class FurtherPart:
    """Where a part begins that is not the first."""

    first: int
    """The number of its first sample."""
    when: datetime | None
    """The wall clock there, for a file that has lost it."""

    @property
    def segment(self) -> LoggedMarker:
        """The marker that it begins with."""
        return LoggedMarker(self.first, NEW_SEGMENT, ROLL_OVER, when=self.when)


def is_roll_over(marker: Marker) -> bool:
    """Whether a marker only says that a further file begins."""
    return (marker.type, marker.description) == (NEW_SEGMENT, ROLL_OVER)


def marker_event(folder: str, entry: LoggedMarker) -> NewEvent:
    """Return the event that stands for a marker."""
    return NewEvent(folder, KIND, msgspec.to_builtins(entry))


def cut_event(folder: str, position: int) -> NewEvent:
    """Return the event by which earlier markers at a position or beyond stand no more."""
    return NewEvent(folder, CUT, {"position": position})


def logged_markers(events: Iterable[Event], folder: str) -> list[LoggedMarker]:
    """Return the markers of one stream that stand, in the order of their positions."""
    found: list[LoggedMarker] = []
    for event in events:
        if event.source == folder and event.kind == KIND:
            found += _entry(event)
        elif event.source == folder and event.kind == CUT:
            position = int(event.value["position"])
            found = [entry for entry in found if entry.position < position]
    return sorted(found, key=_position)


def regenerate(
    path: Path,
    data_file: str,
    entries: Sequence[LoggedMarker],
    end: int,
    further: FurtherPart | None = None,
    *,
    goes_on: bool = False,
) -> bool:
    """Write a `.vmrk` anew from the logged markers, and return whether that changed it.

    What only the file has is kept, so that a damaged events file costs no marker; what of that is
    no whole line, or lies beyond the end, is moved aside.

    Args:
        path: the marker file.
        data_file: the name of the samples' file.
        entries: the logged markers.
        end: how many samples there are, all parts up to this one; a marker of the events that lies
            beyond stays there only.
        further: where it begins, unless it is the first part.
        goes_on: whether another part follows, which has the markers at its end.

    Raises:
        RecordingError: it cannot be read or written.
    """
    with naming(path):
        before = path.read_bytes() if path.exists() else b""
    head = brainvision.format_marker_head(data_file).encode()
    first = further.first if further else 0
    limit = end - first - goes_on
    logged = [
        (max(entry.position - first, 0), _body(entry, first))
        for entry in entries
        if entry.position >= first or not further
    ]
    standing = _standing(before.removeprefix(head), logged, limit)
    if standing.torn:
        aside.save(standing.torn, aside.target_of(path))
    if entries and standing.kept:
        count = len(standing.kept)
        logger.warning("%s: %d markers are not in the events; they are kept", path, count)
    begins = standing.roll_over or [(0, _body(further.segment, first))] if further else []
    inside = [line for line in logged if line[0] <= limit]
    bodies = _one_segment_each(begins + sorted(inside + standing.kept, key=_first))
    after = head + numbered(bodies)
    replace(path, after)
    return before != after


def save_unlogged(path: Path, data_file: str, entries: Sequence[LoggedMarker], first: int) -> None:
    """Write what only a `.vmrk` has, and the logged markers have not, to a file beside it.

    Args:
        path: the marker file, which is about to be removed.
        data_file: the name of the samples' file.
        entries: the logged markers.
        first: the number of the first sample that its part was to have.

    Raises:
        RecordingError: it cannot be read, or the other not be written.
    """
    with naming(path):
        text = path.read_bytes()
    head = brainvision.format_marker_head(data_file).encode()
    logged = [(entry.position, _body(entry, first)) for entry in entries]
    torn = _standing(text.removeprefix(head), logged, -1).torn
    if torn:
        aside.save(torn, aside.target_of(path))


def numbered(bodies: Iterable[str]) -> bytes:
    """Return markers as lines with their numbers."""
    lines = (f"Mk{number}={body}\n" for number, body in enumerate(bodies, start=1))
    return "".join(lines).encode()


def _entry(event: Event) -> Iterator[LoggedMarker]:
    try:
        yield msgspec.convert(event.value, LoggedMarker)
    except msgspec.ValidationError:
        logger.warning("event %d of %s is no marker", event.sequence, event.writer)


def _position(entry: LoggedMarker) -> int:
    return entry.position


def _first(line: _Line) -> int:
    return line[0]


def _body(entry: LoggedMarker, first: int) -> str:
    """Return a marker's line in a part that begins at a sample, without its number and its end."""
    moved = msgspec.structs.replace(entry, position=entry.position - first)
    return brainvision.format_marker(1, moved.marker, entry.when)[len("Mk1=") : -1]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What only a marker file has, and the events have not."""

    kept: list[_Line]
    roll_over: list[_Line]
    """The one that says when a further part began."""
    torn: bytes
    """What is no whole line, and lines beyond the end."""


def _standing(text: bytes, logged: Iterable[_Line], end: int) -> _Standing:
    """Return what the lines of a marker file hold beside the logged markers."""
    unseen = Counter(body for _, body in logged)
    kept: list[_Line] = []
    roll_over: list[_Line] = []
    torn: list[bytes] = []
    for raw in text.splitlines(keepends=True):
        line = parsed_line(raw)
        if line is None:
            torn.append(raw)
        elif _taken(unseen, line[1]):
            continue
        elif line[0] == 0 and line[1].startswith(f"{NEW_SEGMENT},{ROLL_OVER},"):
            roll_over = [line]
        elif line[0] <= end:
            kept.append(line)
        else:
            torn.append(raw)
    return _Standing(kept, roll_over, b"".join(torn))


def parsed_line(raw: bytes) -> _Line | None:
    """Return position and body of a marker's whole line."""
    line = raw.decode("utf-8", "replace")
    number, equals, body = line.partition("=")
    if not (equals and number.startswith("Mk") and number[2:].isdecimal() and line.endswith("\n")):
        return None
    try:
        return brainvision.parse_markers(line)[0].position, body[:-1]
    except RecordingError:
        return None


def _taken(lines: Counter[str], body: str) -> bool:
    """Whether a line is one of the counted; each counts once."""
    lines[body] -= 1
    return lines[body] >= 0


def _one_segment_each(lines: Sequence[_Line]) -> list[str]:
    """Return the bodies with one New Segment per position: the last that says most (its time).

    That of a roll-over only stands where there is no other one.
    """
    best: dict[int, str] = {}
    for position, body in lines:
        if body.startswith(NEW_SEGMENT):
            best[position] = max(body, best.get(position, ""), key=_says)
    kept: list[str] = []
    for position, body in lines:
        chosen = best.pop(position, "") if body.startswith(NEW_SEGMENT) else body
        if chosen:
            kept.append(chosen)
    return kept


def _says(segment: str) -> tuple[bool, int]:
    rolled = segment.startswith(f"{NEW_SEGMENT},{ROLL_OVER},")
    return not (rolled or not segment), len(segment)
