"""Markers on their way into `events.jsonl`, and from there into a `.vmrk` file that is whole.

From: `stream_writer`, and at the seal and after a crash `events.jsonl`.
To: `.vmrk`, which a reader finds complete at any time.
"""

import os
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
from rigctl.recording.durable import naming, replace, write_all, write_new, writing
from rigctl.recording.events import Event, NewEvent
from rigctl.recording.space import Reservation

logger = getLogger(__name__)

KIND = "marker"
CUT = "markers cut"
"""What was logged of a stream's folder before, at a position or beyond, stands no more."""
NEW_SEGMENT = "New Segment"
COMMENT = "Comment"

_RESERVE_BYTES = 1 << 16

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


class MarkerFile:
    """A `.vmrk` that grows: one whole line per marker, one New Segment per position.

    Args:
        path: must not be there yet, unless it goes on.
        data_file: the name of the samples' file.
        goes_on: whether it is there, and whole.

    Raises:
        RecordingError: it cannot be created, or read to go on.
    """

    def __init__(self, path: Path, data_file: str, *, goes_on: bool = False) -> None:
        self.path = path
        self._head = brainvision.format_marker_head(data_file).encode()
        if not goes_on:
            write_new(path, self._head)
        standing = brainvision.read_markers(path)
        self._number = len(standing)
        self._segments = {item.position for item in standing if item.type == NEW_SEGMENT}
        self._fd, self._reservation = _open(path)

    def append(self, entries: Iterable[LoggedMarker]) -> None:
        """Write markers with one write.

        Raises:
            RecordingError: it failed; a line may stand there in part.
        """
        lines = [self._line(entry) for entry in entries if not self._is_repeated(entry)]
        if lines:
            with writing(self.path):
                write_all(self._fd, "".join(lines).encode())

    def cut(self, end: int) -> None:
        """Take out the markers that lie at a position or beyond; the events still have them.

        Raises:
            RecordingError: the file cannot be read or written.
        """
        with naming(self.path):
            text = self.path.read_bytes().removeprefix(self._head)
        lines = [line for line in map(_parsed, text.splitlines(keepends=True)) if line]
        kept = [body for position, body in lines if position < end]
        self._segments = {position for position in self._segments if position < end}
        self._number = len(kept)
        self.close()
        replace(self.path, self._head + _numbered(kept))
        self._fd, self._reservation = _open(self.path)

    def sync(self) -> None:
        """Make the markers durable."""
        with writing(self.path):
            os.fdatasync(self._fd)
            self._reservation.extend(os.fstat(self._fd).st_size)

    def close(self) -> None:
        """Give back what is reserved, and close the file."""
        with writing(self.path):
            try:
                self._reservation.trim(os.fstat(self._fd).st_size)
            finally:
                os.close(self._fd)
                self._fd = -1  # the system may give the number to another file

    def _line(self, entry: LoggedMarker) -> str:
        self._number += 1
        return brainvision.format_marker(self._number, entry.marker, entry.when)

    def _is_repeated(self, entry: LoggedMarker) -> bool:
        if entry.type != NEW_SEGMENT:
            return False
        repeated = entry.position in self._segments
        self._segments.add(entry.position)
        return repeated


def _open(path: Path) -> tuple[int, Reservation]:
    """Open a marker file for appending; return its descriptor and what is reserved of it."""
    with writing(path):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        reservation = Reservation(fd, _RESERVE_BYTES)
        reservation.extend(os.fstat(fd).st_size)
    return fd, reservation


def regenerate(path: Path, data_file: str, entries: Sequence[LoggedMarker], end: int) -> bool:
    """Write a `.vmrk` anew from the logged markers, and return whether that changed it.

    What only the file has is kept, so that a damaged events file costs no marker; what of that is
    no whole line, or lies beyond the end, is moved aside.

    Args:
        path: the marker file.
        data_file: the name of the samples' file.
        entries: the logged markers.
        end: how many samples there are; a marker of the events that lies beyond stays there only.

    Raises:
        RecordingError: it cannot be read or written.
    """
    with naming(path):
        before = path.read_bytes() if path.exists() else b""
    head = brainvision.format_marker_head(data_file).encode()
    standing = _standing(before.removeprefix(head), entries, end)
    if standing.torn:
        aside.save(standing.torn, aside.target_of(path))
    if entries and standing.kept:
        count = len(standing.kept)
        logger.warning("%s: %d markers are not in the events; they are kept", path, count)
    logged = [(entry.position, _body(entry)) for entry in entries if entry.position <= end]
    bodies = _one_segment_each(sorted(logged + standing.kept, key=_first))
    after = head + _numbered(bodies)
    replace(path, after)
    return before != after


def _numbered(bodies: Iterable[str]) -> bytes:
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


def _body(entry: LoggedMarker) -> str:
    """Return a marker's line without its number and its end."""
    return brainvision.format_marker(1, entry.marker, entry.when)[len("Mk1=") : -1]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What only a marker file has, and the events have not."""

    kept: list[_Line]
    torn: bytes
    """What is no whole line, and lines beyond the end."""


def _standing(text: bytes, entries: Iterable[LoggedMarker], end: int) -> _Standing:
    """Return what the lines of a marker file hold beside the logged markers."""
    logged = Counter(map(_body, entries))
    kept, torn = [], []
    for raw in text.splitlines(keepends=True):
        line = _parsed(raw)
        if line is None:
            torn.append(raw)
        elif _taken(logged, line[1]):
            continue
        elif line[0] <= end:
            kept.append(line)
        else:
            torn.append(raw)
    return _Standing(kept, b"".join(torn))


def _parsed(raw: bytes) -> _Line | None:
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
    """Return the bodies with one New Segment per position: the last that says most (its time)."""
    best: dict[int, str] = {}
    for position, body in lines:
        if body.startswith(NEW_SEGMENT):
            best[position] = max(body, best.get(position, ""), key=len)
    kept: list[str] = []
    for position, body in lines:
        chosen = best.pop(position, "") if body.startswith(NEW_SEGMENT) else body
        if chosen:
            kept.append(chosen)
    return kept
