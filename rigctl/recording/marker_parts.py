"""The `.vmrk` of every part of a stream anew, from the events.

From: the index, which knows where parts begin, and `events.jsonl`.
To: the seal, and a recovery.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rigctl.recording import index, layout, markers
from rigctl.recording.durable import naming
from rigctl.recording.markers import NEW_SEGMENT, FurtherPart, LoggedMarker


def regenerate_markers(folder: Path, entries: Sequence[LoggedMarker]) -> bool:
    """Write a stream's marker files anew, and return whether that changed one.

    Args:
        folder: the stream's; no writer may have it open.
        entries: the logged markers.

    Raises:
        RecordingError: a file cannot be read or written, or `stream.json` is damaged.
    """
    header = layout.read_stream_header(folder)
    if not header.info.is_signal:
        return False
    starts = part_starts(folder, header)
    ends = [*list(starts.values())[1:], None]
    changed = False
    for (part, first), end in zip(starts.items(), ends, strict=True):
        data = folder / layout.part_name(header.data, part)
        further = None if part == 1 else FurtherPart(first, _when(first, entries, header))
        changed |= markers.regenerate(
            data.with_name(layout.marker_name(data.name)),
            data.name,
            entries,
            first + _points(data, header) if end is None else end,
            further,
            goes_on=end is not None,
        )
    return changed


def part_starts(
    folder: Path, header: layout.StreamHeader, walked: bytes | None = None
) -> dict[int, int]:
    """Return the number of each part's first sample: by the index, or behind the part before.

    Args:
        folder: the stream's.
        header: what its `stream.json` says.
        walked: what its index holds; read if left out.

    Raises:
        RecordingError: the index cannot be read.
    """
    with naming(folder / layout.INDEX):
        walk = index.walk(
            (folder / layout.INDEX).read_bytes() if walked is None else walked, header.frame_bytes
        )
        there = [number for number in map(layout.part_number, layout.data_sizes(folder)) if number]
    known = index.part_starts(walk.records[walk.sound], header.frame_bytes)
    starts: dict[int, int] = {}
    end = 0
    for part in sorted({1, *there, *known}):
        starts[part] = known.get(part, end)
        end = starts[part] + _points(folder / layout.part_name(header.data, part), header)
    return starts


def _points(data: Path, header: layout.StreamHeader) -> int:
    with naming(data):
        return data.stat().st_size // header.frame_bytes if data.exists() else 0


def _when(
    first: int, entries: Sequence[LoggedMarker], header: layout.StreamHeader
) -> datetime | None:
    """Return the wall clock at a sample, counted on from the segment before it."""
    for entry in reversed(entries):
        if entry.type == NEW_SEGMENT and entry.when and entry.position <= first:
            since_s = (first - entry.position) / float(header.info.rate_hz)
            return entry.when + timedelta(seconds=since_s)
    return None
