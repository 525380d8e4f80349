"""What is exported: one rig's part in a session, or some of its streams; and what is known of it.

From: `recording.opened`.  To: the modules of this package, one per format.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from rigctl.recording import markers
from rigctl.recording.events import RING_TAKEN, Event
from rigctl.recording.opened import OpenRig
from rigctl.recording.opened_stream import OpenStream
from rigctl.recording.salvage_events import CUT_DONE, CUT_KIND

_KEPT_FOR_OURSELVES = (markers.KIND, markers.CUT, CUT_KIND, CUT_DONE, RING_TAKEN)
"""Markers are exported as such; the others tell what became of them, or serve a recovery."""

Advance = Callable[[int], None]
"""Told how many bytes of samples were exported, after each piece."""


@dataclass(frozen=True, eq=False)
class Source:
    """Streams of one rig that go into one file."""

    rig: OpenRig
    streams: tuple[OpenStream, ...]

    @property
    def start_unix_s(self) -> float:
        """When the session was created, on the synchronised clock."""
        return self.rig.clock.origin_unix_s + self.start_s

    @property
    def start_s(self) -> float:
        """The same since the clock's origin, as the times of samples are told exactly."""
        return float(self.rig.clock.synchronised_s(0.0))

    def events(self) -> Iterator[tuple[float, Event]]:
        """Yield what happened beside the markers, with its synchronised time since 1970."""
        for event in self.rig.events:
            if event.kind not in _KEPT_FOR_OURSELVES:
                yield self.rig.event_unix_s(event), event

    def facts(self) -> dict[str, Any]:
        """Return what `session.json` says and a reader of an export may want, plain JSON."""
        record, clock = self.rig.record, self.rig.clock
        return {
            "reference": record.reference,
            "rig": record.rig,
            "host": record.host,
            "state": record.state,
            "conditions": list(record.conditions),
            "episodes": msgspec.to_builtins(record.episodes),
            "versions": dict(record.versions),
            "config_hash": record.config_hash,
            "window": msgspec.to_builtins(record.window),
            "clock": {
                "times": "seconds since 1970 (UTC) on the reference's clock"
                if clock.offsets
                else "seconds since 1970 (UTC) on the rig's own clock; nobody compared it",
                "reference": clock.reference,
                "bound_s": clock.bound_s,
                "created_unix_s": clock.origin_unix_s,
                "offsets": msgspec.to_builtins(clock.offsets),
            },
        }


def text_of(kind: str, description: str) -> str:
    """Return a marker as one text, as MNE-Python writes BrainVision's: ``Stimulus/S  1``."""
    return f"{kind}/{description}" if kind else description


def event_text(event: Event) -> str:
    """Return an event as one line of JSON."""
    told = {"source": event.source, "kind": event.kind, "value": event.value}
    return msgspec.json.encode(told).decode()
