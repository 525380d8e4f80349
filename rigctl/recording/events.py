r"""What happened, one checked JSON object a line: markers, serial lines, changes of state.

From: the recorder and the daemon.  To: `events.jsonl`; it is the truth about events.

    {"writer":"recorder","sequence":12,"unix_s":...,"monotonic_s":...,"source":"amp",
     "kind":"marker","value":{...},"crc32":"5f3a09c2"}\n          (on one line)

Every call is one write and one fdatasync (0.1 ms). Several processes may append to one file; each
counts its own lines, so that a line that is missing shows.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording.checked import decode_line, encode_line
from rigctl.recording.durable import is_full, naming, sync_folder, write_all, writing
from rigctl.recording.space import Reservation

RING_TAKEN = "ring taken"
"""The kind of the events by which a recorder that was killed finds its place in the ring again."""

_RESERVE_BYTES = 1 << 16
"""Some hundred events; never given back, since another process may write to the same file."""

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line."""

    writer: str
    """Which process wrote it."""
    sequence: int
    """Counts the writer's lines from 1."""
    unix_s: float
    """Wall time, UTC."""
    monotonic_s: float
    """The rig's clock, the same as that of the arrival times."""
    source: str
    """The stream's folder, the device or the program that it comes from."""
    kind: str
    """Such as ``marker``, ``line``, ``state``."""
    value: Any
    """Plain JSON."""


class NewEvent(msgspec.Struct, frozen=True):
    """An event that is to be logged; a time that is left out is now."""

    source: str
    kind: str
    value: Any
    unix_s: float | None = None
    monotonic_s: float | None = None


@dataclass(frozen=True, slots=True)
class EventsRead:
    """What an events file holds."""

    events: tuple[Event, ...]
    """The lines that are whole and unchanged, in the order of the file."""
    problems: tuple[str, ...]
    """What is wrong with the others, or missing between them."""


class EventLog:
    """Appends events to one session; may be called from several threads.

    Args:
        path: `events.jsonl`; created if it is not there, continued if it is.
        writer: the name of this process, such as ``recorder``; one process at a time has it.

    Raises:
        RecordingError: it cannot be opened.
    """

    def __init__(self, path: Path, writer: str = "rig") -> None:
        self.path = path
        self._writer = writer
        self._lock = threading.Lock()
        with naming(path):
            self._fd = os.open(path, _FLAGS, 0o644)
            sync_folder(path.parent)
            before = path.read_bytes() if path.is_file() else b""
        self._sequence = _last_sequence(before, writer)
        self._torn = not before.endswith(b"\n") and before != b""
        self._reservation = Reservation(self._fd, _RESERVE_BYTES)
        self._reservation.extend(len(before))

    def append(
        self,
        source: str,
        kind: str,
        value: Any,
        *,
        unix_s: float | None = None,
        monotonic_s: float | None = None,
    ) -> Event:
        """Log one event; it is on disk when this returns.

        Raises:
            RecordingError: it could not be written.
        """
        return self.append_many([NewEvent(source, kind, value, unix_s, monotonic_s)])[0]

    def append_many(self, events: Iterable[NewEvent]) -> list[Event]:
        """Log events with one write and one flush for all of them.

        Raises:
            DiskFull: there is no space; none of them stands in the file, and it may be tried again.
            RecordingError: they could not be written; some of them may stand in the file.
        """
        with self._lock, writing(self.path):
            logged = [self._numbered(number, event) for number, event in enumerate(events, start=1)]
            if not logged:
                return logged
            lines = b"".join(map(encode_line, logged))
            # A line that was left unfinished is ended, so that it spoils no other one.
            self._write(b"\n" + lines if self._torn else lines, len(logged))
            os.fdatasync(self._fd)
            self._reservation.extend(os.fstat(self._fd).st_size)
            return logged

    def close(self) -> None:
        """Close the file; every event is on disk already."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, lines: bytes, count: int) -> None:
        """Write lines, and count them; of what a full disk takes in part, nothing stays."""
        size, sequence, torn = os.fstat(self._fd).st_size, self._sequence, self._torn
        # Counted even if writing fails: events that are lost show as a jump.
        self._sequence, self._torn = sequence + count, True
        try:
            write_all(self._fd, lines)
        except OSError as error:
            # If it has grown by more than that, another process has written behind it.
            if is_full(error) and os.fstat(self._fd).st_size < size + len(lines):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, size)
                    self._sequence, self._torn = sequence, torn
            raise
        self._torn = False

    def _numbered(self, number: int, event: NewEvent) -> Event:
        unix_s = time.time() if event.unix_s is None else event.unix_s
        monotonic_s = time.monotonic() if event.monotonic_s is None else event.monotonic_s
        return Event(
            writer=self._writer,
            sequence=self._sequence + number,
            unix_s=unix_s,
            monotonic_s=monotonic_s,
            source=event.source,
            kind=event.kind,
            value=event.value,
        )


def read_events(path: Path) -> EventsRead:
    """Read an events file and check every line of it.

    Raises:
        RecordingError: it cannot be read; damaged lines are problems, not errors.
    """
    with naming(path):
        return parse_events(path.read_bytes())


def parse_events(data: bytes) -> EventsRead:
    """Read the bytes of an events file."""
    events: list[Event] = []
    problems: list[str] = []
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        try:
            events.append(decode_line(line, Event))
        except RecordingError as error:
            problems.append(f"line {number}: {error}")
    return EventsRead(tuple(events), (*problems, *_missing_lines(events)))


def sound_size(data: bytes) -> int:
    """Return where the last line that is whole and unchanged ends; what follows was torn."""
    lines = data.splitlines(keepends=True)
    size = len(data)
    while lines and not _is_sound(lines[-1]):
        size -= len(lines.pop())
    return size


def _is_sound(line: bytes) -> bool:
    try:
        decode_line(line, Event)
    except RecordingError:
        return False
    return True


def _missing_lines(events: Iterable[Event]) -> Iterable[str]:
    """Yield where a writer's count jumps."""
    last: dict[str, int] = {}
    for event in events:
        expected = last.get(event.writer, 0) + 1
        if event.sequence != expected:
            yield f"{event.writer} goes from line {expected - 1} to its line {event.sequence}"
        last[event.writer] = event.sequence


def _last_sequence(data: bytes, writer: str) -> int:
    return max(
        (event.sequence for event in parse_events(data).events if event.writer == writer), default=0
    )
