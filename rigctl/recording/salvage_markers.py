"""The markers of a salvaged stream: those that were logged stand, and only new ones are added.

From: the events that were kept, and `StreamWriter`, which marks gaps and segments by itself.
To: `events.jsonl` of the new session.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from rigctl.recording.events import Event, EventLog, NewEvent
from rigctl.recording.markers import KIND, NEW_SEGMENT
from rigctl.recording.salvage_events import position_of
from rigctl.recording.session import ClockPair


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
