"""Where one stream's files were torn, and what is good of them put in order.

From: a stream's folder that no writer has open.  To: `recover`.

    data.eeg   |block|block| BAD |block| block that was not finished ...
    data.idx   |rec. |rec. |rec. |rec. | BAD | rec. of samples that are not there ...
                                       ^ after the last good block: moved aside

A bad block that has good ones behind it stays, and `verify` reports it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigctl.errors import RecordingError
from rigctl.recording import aside, index, layout, markers
from rigctl.recording.durable import naming
from rigctl.recording.events import Event
from rigctl.recording.marker_parts import regenerate_markers
from rigctl.recording.markers import LoggedMarker
from rigctl.recording.part_files import remove_parts
from rigctl.recording.verify_stream import payload_matches


@dataclass(frozen=True, slots=True)
class Tear:
    """What of a stream's folder is good."""

    folder: Path
    header: layout.StreamHeader
    samples: int
    """How many there are up to the end of the last good block."""
    keep: dict[str, int]
    """How many bytes stay of a file, by its name; those that are not named stay as they are."""
    parts: int
    """How many parts there are up to the one that has the last good block."""

    @property
    def has_further_parts(self) -> bool:
        """Whether files of parts behind the last good block are there."""
        return max(layout.part_files(self.folder)) > self.parts


def find_tear(folder: Path) -> Tear:
    """Find the last good block of a stream; nothing is changed.

    Only what follows it is read, so that hours of recording cost no time.

    Raises:
        RecordingError: what is wrong is not a torn end: a file is missing, cannot be read, or
            `stream.json` is damaged.
    """
    try:
        header = layout.read_stream_header(folder)
        with naming(folder / layout.INDEX):
            walk = index.walk((folder / layout.INDEX).read_bytes(), header.frame_bytes)
            records = walk.records[: _good_records(folder, header, walk)]
            last = int(records[-1]["part"]) if len(records) else 1
            keep = _part_bytes(folder, header, records, last)
    except RecordingError as error:
        raise RecordingError(
            f"{error}; nothing in the session was touched: put a copy of the file back, or rename "
            f"the folder {folder.name} to {folder.name}{layout.TORN}, and recover again"
        ) from error
    keep[layout.INDEX] = len(records) * index.RECORD_BYTES
    return Tear(folder, header, index.sample_count(records), keep, last)


def is_unfinished(folder: Path) -> bool:
    """Whether the writer was stopped while it made the folder: no sample, and not every file."""
    with naming(folder):
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    if any(size for name, size in sizes.items() if not _describes(name)):
        return False
    try:
        header = layout.read_stream_header(folder)
    except RecordingError:
        return True
    return not _files(header) <= sizes.keys()


def mend(tear: Tear, events: Iterable[Event]) -> bool:
    """Move what follows the last good block aside, and write the `.vmrk` anew.

    Args:
        tear: what `find_tear` found.
        events: all that is known of the session, for the markers.

    Returns:
        Whether there was anything to be done.

    Raises:
        RecordingError: a file cannot be written; the same call may be made again.
    """
    paths = [tear.folder / name for name in tear.keep]
    changed = [aside.cut(path, tear.keep[path.name], aside.target_of(path)) for path in paths]
    logged = markers.logged_markers(events, tear.folder.name)
    changed.append(_remove_further(tear, logged))
    changed.append(regenerate_markers(tear.folder, logged))
    return any(changed)


def _remove_further(tear: Tear, logged: Sequence[LoggedMarker]) -> bool:
    """Remove the parts that hold no sample any more; what only their markers say is kept aside."""
    if not tear.has_further_parts:
        return False
    for number, paths in layout.part_files(tear.folder).items():
        for path in paths:
            if number > tear.parts and path.suffix == ".vmrk":
                data = layout.part_name(tear.header.data, number)
                markers.save_unlogged(path, data, logged, tear.samples)
    remove_parts(tear.folder, tear.parts)
    return True


def _good_records(folder: Path, header: layout.StreamHeader, walk: index.Walk) -> int:
    """Return the number of records up to the last one that is sound and whose samples match."""
    for number in np.flatnonzero(walk.sound)[::-1]:
        record = walk.records[number]
        path = folder / layout.part_name(header.data, int(record["part"]))
        with naming(path), path.open("rb") as file:
            if payload_matches(file, record, header.frame_bytes):
                return int(number) + 1
    return 0


def _part_bytes(
    folder: Path, header: layout.StreamHeader, records: index.Records, last: int
) -> dict[str, int]:
    """Return where the part of the last good block ends, and that later parts are torn wholly.

    Earlier parts stay as they are, bad blocks at their ends included: good ones follow.
    """
    end = index.part_sizes(records[-1:], header.frame_bytes).get(last, 0)
    parts = {name: layout.part_number(name) or 1 for name in layout.data_sizes(folder)}
    return {
        name: end if part == last else 0
        for name, part in parts.items()
        if part >= last and name == layout.part_name(header.data, part)
    }


def _describes(name: str) -> bool:
    return name == layout.STREAM or Path(name).suffix in (".vhdr", ".vmrk")


def _files(header: layout.StreamHeader) -> set[str]:
    """Return the names of the files that a stream has from its beginning."""
    data = Path(header.data)
    triplet = (".vhdr", ".vmrk") if header.info.is_signal else ()
    return {data.name, layout.INDEX, *(data.with_suffix(suffix).name for suffix in triplet)}
