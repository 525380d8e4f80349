"""The markers of a salvaged stream: those that were logged stand, and only new ones are added.

From: the events that were kept, the `.vmrk` where they are damaged, and `StreamWriter`, which marks
gaps and segments by itself.
To: `events.jsonl` of the new session.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rigctl.blocks import Marker
from rigctl.errors import RecordingError
from rigctl.recording import brainvision, layout
from rigctl.recording.events import Event, EventLog, NewEvent
from rigctl.recording.marker_parts import part_starts
from rigctl.recording.markers import (
    KIND,
    NEW_SEGMENT,
    LoggedMarker,
    is_roll_over,
    logged_markers,
)
from rigctl.recording.salvage_blocks import read_anyway
from rigctl.recording.salvage_events import position_of
from rigctl.recording.salvage_header import known_header
from rigctl.recording.session import ClockPair


def unlogged(folder: Path, writer: str, events: Iterable[Event], *, damaged: bool) -> list[Event]:
    """Return the markers that only a `.vmrk` has, as events; nothing proves them.

    Where events are whole and one of them has no line there, such a marker is itself damaged.

    Args:
        folder: the stream's.
        writer: who logs them now.
        events: what is left of the events.
        damaged: whether some of them are known to be damaged or gone.
    """
    logged = Counter(_line(entry.marker) for entry in logged_markers(events, folder.name))
    found = []
    for marker in _standing(folder):
        logged[_line(marker)] -= 1
        if logged[_line(marker)] < 0:
            found.append(_event(folder.name, writer, marker))
    has_all = all(count <= 0 for count in logged.values())
    return found if damaged or has_all else []


def _standing(folder: Path) -> Iterator[Marker]:
    """Yield the markers of all parts, their positions counted from the recording's beginning."""
    starts = _part_starts(folder)
    ends = [*list(starts.values())[1:], math.inf]
    for (part, first), end in zip(starts.items(), ends, strict=True):
        name = layout.marker_name(layout.part_name("data.eeg", part))
        for marker in _whole_lines(folder / name):
            at = first + marker.position
            if at < end and not is_roll_over(marker):  # else it is in the next part, too
                yield replace(marker, position=at)


def _part_starts(folder: Path) -> dict[int, int]:
    header = known_header(folder, folder.name).header
    if header is None:
        return {1: 0}
    return part_starts(folder, header, read_anyway(folder / layout.INDEX))


def _whole_lines(path: Path) -> Iterator[Marker]:
    """Yield the markers of the whole lines of a file."""
    for line in read_anyway(path).split(b"\n")[:-1]:
        try:
            yield from brainvision.parse_markers(line.decode("utf-8", "replace") + "\n")
        except RecordingError:
            continue


def _line(marker: Marker) -> str:
    return brainvision.format_marker(1, marker)


def _event(folder: str, writer: str, marker: Marker) -> Event:
    return Event(
        writer=writer,
        sequence=1,  # they are numbered as they are written
        unix_s=time.time(),
        monotonic_s=time.monotonic(),
        source=folder,
        kind=KIND,
        value=msgspec.to_builtins(LoggedMarker.of(marker)),
    )


class NewMarkers(EventLog):
    """Logs markers, but for those that are there already.

    Args:
        path: `events.jsonl`.
        writer: who writes.
        standing: what is there already.
    """

    def __init__(self, path: Path, writer: str, standing: Iterable[Event]) -> None:
        super().__init__(path, writer)
        self._standing = Counter(map(_identity, standing))

    def append_many(self, events: Iterable[NewEvent]) -> list[Event]:
        """Log the events that are new."""
        return super().append_many([event for event in events if self._is_new(event)])

    def _is_new(self, event: NewEvent) -> bool:
        identity = _identity(event)
        self._standing[identity] -= 1
        return event.kind != KIND or self._standing[identity] < 0


def _identity(event: Event | NewEvent) -> tuple[object, ...]:
    value = event.value if isinstance(event.value, dict) else {}
    names = ("position", "type", "description")
    return event.source, event.kind, *(str(value.get(name, "")) for name in names)


class SegmentClock:
    """Tells the wall clock where segments of one stream begin.

    Args:
        pair: the same moment on both clocks.
        events: in which it may have been logged.
        folder: the stream's.
    """

    def __init__(self, pair: ClockPair, events: Iterable[Event], folder: str) -> None:
        self._ahead_s = pair.unix_s - pair.monotonic_s
        self._logged = {
            position_of(event): str(event.value["when"])
            for event in events
            if event.source == folder and event.kind == KIND and _begins_segment(event)
        }

    def when(self, position: int, arrival_s: float) -> datetime:
        """Return what was logged there, else what the time of arrival means."""
        try:
            return datetime.fromisoformat(self._logged[position])
        except (KeyError, ValueError):
            return self._meant(arrival_s)

    def _meant(self, arrival_s: float) -> datetime:
        try:
            return datetime.fromtimestamp(self._ahead_s + arrival_s, UTC)
        except (ValueError, OverflowError, OSError):  # a damaged time that nothing proves
            return datetime.fromtimestamp(0, UTC)


def _begins_segment(event: Event) -> bool:
    return event.value.get("type") == NEW_SEGMENT and bool(event.value.get("when"))
