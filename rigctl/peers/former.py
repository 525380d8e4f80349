"""What there is of a stream from before a crash, and from when it is.

From: a session's folder that is in order again.  To: `peers.tape`, which goes on behind it.

Arrival times are comparable with those of today as long as the computer was not started again,
which the recorder's events tell: each names the start of the computer (`boot`) it was written in.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rigctl.blocks import StreamInfo
from rigctl.peers.window import arrivals_in
from rigctl.recording import index, layout
from rigctl.recording.durable import naming
from rigctl.recording.events import read_events
from rigctl.recording.manifest import StreamTotals, totals
from rigctl.streams.instants import taken_s

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another text each time the computer is started; only Linux has it."""


@dataclass(frozen=True, slots=True)
class Former:
    """A stream as it was before a crash."""

    folder: Path
    """The last of its folders."""
    info: StreamInfo
    earlier: tuple[StreamTotals, ...]
    """Of the folders before the last."""
    last: StreamTotals
    taken_s: float | None
    """When its last sample was taken, on the rig's clock; None where that cannot be compared."""
    arrival_s: float | None
    """When its last block arrived, as its ring tells it; None where `taken_s` is."""
    since_unix_s: float | None
    """When it was last seen to be recorded, on the wall clock, if anybody knows."""

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
    headers = {path: layout.read_stream_header(path) for path in layout.stream_folders(session)}
    folders = [path for path, header in headers.items() if header.name == stream]
    if not folders:
        return None
    *earlier, folder = folders
    info = headers[folder].info
    taken, arrival = _last_times_s(folder, info) if _is_same_boot(session) else (None, None)
    if taken is not None:
        since_unix_s = taken + time.time() - time.monotonic()
    before = tuple(totals(path) for path in earlier)
    return Former(folder, info, before, totals(folder), taken, arrival, since_unix_s)


def boot() -> str:
    """Return what tells this start of the computer from all others; empty where nothing does."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _is_same_boot(session: Path) -> bool:
    path = session / layout.EVENTS
    events = read_events(path).events if path.exists() else ()
    told: list[Any] = [event.value for event in events if event.source == "recorder"]
    boots = [value["boot"] for value in told if isinstance(value, dict) and "boot" in value]
    return bool(boots) and boots[-1] == boot() != ""


def _last_times_s(folder: Path, info: StreamInfo) -> tuple[float | None, float | None]:
    """Return when the last sample was taken and when it arrived, if that can be true."""
    path = folder / layout.INDEX
    with naming(path):
        records = index.walk(path.read_bytes(), info.frame_bytes).trusted
    if not len(records):
        return None, None
    arrival_s = float(records[-1]["arrival_s"])
    found_s = taken_s(arrivals_in(records, arrival_s), info.rate_hz)
    return (found_s, arrival_s) if arrival_s <= time.monotonic() else (None, None)
