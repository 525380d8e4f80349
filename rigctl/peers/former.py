"""What there is of a stream from before a crash, and from when it is.

From: a session's folder that is in order again.  To: `peers.tape`, which goes on behind it.

Arrival times are comparable with those of today as long as the computer was not started again,
which the recorder's events tell: each names the start of the computer (`boot`) it was written in.
Where a ring has outlived the crash, the events tell as well which sample of it comes next: the
recorder logs what of a ring stands where before it records the first of it (`Taken`).
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rigctl.blocks import BlockFlags, Marker, StreamInfo
from rigctl.peers.window import Place, last_taken_s
from rigctl.recording import index, layout
from rigctl.recording.durable import naming
from rigctl.recording.events import RING_TAKEN, Event, EventLog, read_events
from rigctl.recording.index import Records
from rigctl.recording.manifest import StreamTotals, totals
from rigctl.recording.markers import COMMENT, NEW_SEGMENT, logged_markers
from rigctl.recording.stream_writer import StreamWriter

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another text each time the computer is started; only Linux has it."""


class Taken(msgspec.Struct, frozen=True):
    """From a sample of the recording on, those of a ring follow: the value of a `RING_TAKEN`."""

    sample: int
    """Counted from the folder's beginning."""
    ring: str
    ring_sample: int


@dataclass(frozen=True, slots=True)
class Former:
    """A stream as it was before a crash."""

    folder: Path
    """The last of its folders."""
    info: StreamInfo
    earlier: tuple[StreamTotals, ...]
    """Of the folders before the last."""
    last: StreamTotals
    last_points: int
    """How many samples its last append has, whose markers may not have been written any more."""
    markers: tuple[Marker, ...]
    """Those that stand at these samples, or behind them."""
    place: Place | None
    """The ring's sample that comes next; None where that is not known."""
    taken_s: float | None
    """When its last sample was taken, on the rig's clock; None where that cannot be compared."""
    since_unix_s: float | None
    """When it was last seen to be recorded, on the wall clock, if anybody knows."""

    @property
    def behind_s(self) -> float | None:
        """The instant on the rig's clock from which on samples are new, where it is known."""
        return None if self.taken_s is None else self.taken_s + 0.5 / float(self.info.rate_hz)

    def missing_before(self, began_s: float) -> int:
        """Estimate how many samples are lost before new ones; 0 where nobody can tell.

        Args:
            began_s: when the one before the first new sample would have been taken.
        """
        since_s = self.taken_s
        if since_s is None and self.since_unix_s is not None:
            since_s = self.since_unix_s + time.monotonic() - time.time()
        lost_s = 0.0 if since_s is None else began_s - since_s
        return max(round(lost_s * self.info.rate_hz), 0)


def find_former(session: Path, stream: str, since_unix_s: float | None) -> Former | None:
    """Return what a session has of a stream; None if nothing of it was recorded.

    Args:
        session: its folder.
        stream: its name.
        since_unix_s: when it was last seen to be recorded, if that is known.

    Raises:
        RecordingError: its files cannot be read.
    """
    folders = folders_of(session, stream)
    if not folders:
        return None
    *earlier, folder = folders
    info, records = _read(folder)
    path = session / layout.EVENTS
    events = read_events(path).events if path.exists() else ()
    is_same_boot = _is_same_boot(events)
    taken = _last_taken_s(records, info) if is_same_boot else None
    if taken is not None:
        since_unix_s = taken + time.time() - time.monotonic()
    before = tuple(totals(path) for path in earlier)
    samples, points = index.sample_count(records), int(records[-1]["count"]) if len(records) else 0
    standing = [e.marker for e in logged_markers(events, folder.name)]
    markers = tuple(marker for marker in standing if marker.position >= samples - points)
    place = _place(events, folder.name, samples) if is_same_boot else None
    last = totals(folder)
    return Former(folder, info, before, last, points, markers, place, taken, since_unix_s)


def folders_of(session: Path, stream: str) -> list[Path]:
    """Return the folders of a stream, in the order in which they were recorded.

    Raises:
        RecordingError: one cannot be read.
    """
    folders = layout.stream_folders(session)
    return [path for path in folders if layout.read_stream_header(path).name == stream]


def cut_ahead(session: Path, stream: str, events: EventLog) -> None:
    """Cut off what was written ahead of samples that never came, before it is gone on behind it.

    That is what stands in for lost samples at the very end, which may not be all of them, and the
    markers of a loss or of a segment: what follows tells anew what there is to be told.

    Raises:
        RecordingError: its files cannot be read or written.
    """
    for folder in folders_of(session, stream)[-1:]:
        _, records = _read(folder)
        whole = np.flatnonzero((records["flags"] & BlockFlags.FILLED) == 0)
        kept = int(whole[-1]) + 1 if len(whole) else 0
        samples = index.sample_count(records[:kept])
        logged = logged_markers(read_events(session / layout.EVENTS).events, folder.name)
        standing = [entry.marker for entry in logged if entry.position == samples]
        others = [marker for marker in standing if not _is_ahead(marker)]
        if kept < len(records) or len(others) < len(standing):
            with StreamWriter.reopen(folder, events) as writer:
                writer.end_at(samples)
                writer.mark(*others)


def boot() -> str:
    """Return what tells this start of the computer from all others; empty where nothing does."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _is_same_boot(events: Iterable[Event]) -> bool:
    told: list[Any] = [event.value for event in events if event.source == "recorder"]
    boots = [value["boot"] for value in told if isinstance(value, dict) and "boot" in value]
    return bool(boots) and boots[-1] == boot() != ""


def _is_ahead(marker: Marker) -> bool:
    is_loss = marker.type == COMMENT and marker.description.startswith("GAP ")
    return is_loss or marker.type == NEW_SEGMENT


def _read(folder: Path) -> tuple[StreamInfo, Records]:
    info = layout.read_stream_header(folder).info
    path = folder / layout.INDEX
    with naming(path):
        return info, index.walk(path.read_bytes(), info.frame_bytes).trusted


def _last_taken_s(records: Records, info: StreamInfo) -> float | None:
    """Return when the last sample was taken, if that can be true."""
    if not len(records):
        return None
    is_past = float(records[-1]["arrival_s"]) <= time.monotonic()
    return last_taken_s(records, info.rate_hz) if is_past else None


def _place(events: Sequence[Event], folder: str, samples: int) -> Place | None:
    """Return the ring's sample that comes next.

    One that was logged at the very end may stand behind samples that were lost, and would hide it:
    it counts only if there is nothing before it.
    """
    mine = (e.value for e in events if e.source == folder and e.kind == RING_TAKEN)
    told = [msgspec.convert(value, Taken) for value in mine]
    known = [taken for taken in told if taken.sample < samples or taken.sample == samples == 0]
    if not known:
        return None
    last = known[-1]
    return Place(last.ring, last.ring_sample + samples - last.sample)
