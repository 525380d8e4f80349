r"""The events of a damaged session: every whole line, numbered anew (pure).

From: the bytes of `events.jsonl` and of what a recovery moved aside.  To: `salvage`.

    {"writer":"recorder","sequence":7,...,"crc32":"5f3a09c2"}\n       whole: kept
    {"writer":"recorder","sequence":8,...,"crc32":"5f3a0*c2"}\n       one bit flipped: put right
    00 00 00 00 {"writer":"recorder","sequence":9,...}\n              whole behind what is damaged
    {"writer":"recorder","sequence":10,.                              left out, and counted

Markers move with their samples. What was cut off by a recovery stands no more, and is kept under
another kind.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording.checked import decode_line, line_put_right
from rigctl.recording.events import Event
from rigctl.recording.markers import CUT, KIND

CUT_KIND = f"{KIND} that was cut"
CUT_DONE = f"{CUT}, done"

_HEAD = b'{"writer":'
_TAIL = re.compile(rb',"crc32":"[0-9a-f]{8}"}(?!\n).', re.DOTALL)

Position = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class EventsFound:
    """What an events file still holds."""

    events: tuple[Event, ...]
    """In the order of the file."""
    put_right: int
    """How many of these had one flipped bit."""
    left_out: int
    """How many lines are damaged, or missing by their writer's count."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a stream's markers go."""

    folder: str
    position: Position


def find_events(data: bytes) -> EventsFound:
    """Read the bytes of an events file, whatever happened to it."""
    events: list[Event] = []
    put_right = damaged = 0
    for line in _lines(data):
        event, was_damaged = _read(line)
        if event:
            events.append(event)
            put_right += was_damaged
        else:
            damaged += 1
    return EventsFound(tuple(events), put_right, max(damaged, _missing(events)))


def moved(events: Sequence[Event], streams: Mapping[str, Moved]) -> list[Event]:
    """Return events as they are for the new session: markers moved, lines numbered anew.

    Args:
        events: in the order of the file.
        streams: by the folder that they come from; markers of others stay as they are.
    """
    standing = _standing(events)
    numbers: dict[str, int] = defaultdict(int)
    found = []
    for event, stands in zip(events, standing, strict=True):
        numbers[event.writer] += 1
        changed = _moved(event, streams.get(event.source), stands)
        found.append(msgspec.structs.replace(changed, sequence=numbers[event.writer]))
    return found


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield lines with their ends; two of which the end between was damaged are parted."""
    for line in re.findall(rb"[^\n]*\n|[^\n]+", data):
        begin = 0
        if not _event(line):
            for match in _TAIL.finditer(line):
                yield line[begin : match.end()]
                begin = match.end()
        if begin < len(line):
            yield line[begin:]


def _read(line: bytes) -> tuple[Event | None, bool]:
    """Return an event, and whether its line was damaged."""
    event = _event(line)
    if event:
        return event, False
    begin = line.rfind(_HEAD)
    if begin > 0 and (event := _event(line[begin:])):
        return event, False
    right = line_put_right(line)
    return (_event(right), True) if right else (None, True)


def _event(line: bytes) -> Event | None:
    try:
        return decode_line(line, Event)
    except RecordingError:
        return None


def _missing(events: Iterable[Event]) -> int:
    """Return how many lines are missing by their writers' counts."""
    by_writer: dict[str, set[int]] = defaultdict(set)
    for event in events:
        by_writer[event.writer].add(event.sequence)
    return sum(max(numbers) - len(numbers) for numbers in by_writer.values())


def _standing(events: Sequence[Event]) -> list[bool]:
    """Return which events no later cut has taken back."""
    standing = [True] * len(events)
    ends: dict[str, float] = {}
    for at in range(len(events) - 1, -1, -1):
        event = events[at]
        position = position_of(event)
        if event.kind == CUT and position is not None:
            ends[event.source] = min(position, ends.get(event.source, position))
        elif event.kind == KIND and position is not None:
            standing[at] = position < ends.get(event.source, float("inf"))
    return standing


def _moved(event: Event, stream: Moved | None, stands: bool) -> Event:
    position = position_of(event)
    if event.kind == CUT:
        return msgspec.structs.replace(event, kind=CUT_DONE)
    if event.kind != KIND or position is None:
        return event
    if not stands:
        return msgspec.structs.replace(event, kind=CUT_KIND)
    if stream is None:
        return event
    value: dict[str, Any] = {**event.value, "position": int(stream.position(position))}
    return msgspec.structs.replace(event, source=stream.folder, value=value)


def position_of(event: Event) -> int | None:
    """Return the position that an event's value names, if it does."""
    value = event.value
    position = value.get("position") if isinstance(value, dict) else None
    return position if isinstance(position, int) else None
