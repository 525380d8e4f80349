"""Whether one stream's files are what their index says.

From: a stream's folder, of a recording that goes on or is done.  To: `verify`.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from rigctl.errors import RecordingError
from rigctl.recording import brainvision, index, layout
from rigctl.recording.durable import naming
from rigctl.recording.payloads import mismatches

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class StreamFindings:
    """What was found in one folder."""

    name: str
    """The stream's name."""
    samples: int = 0
    missing_samples: int = 0
    gaps: int = 0
    bad_chunks: int = 0
    """Appends whose samples or whose index record are damaged or cut off."""
    problems: tuple[str, ...] = ()
    """Each begins with the file's path below the session."""


def check_stream(folder: Path, advance: Advance) -> StreamFindings:
    """Check a stream's folder; damage is a problem, not an error.

    Args:
        folder: the stream's.
        advance: told the number of bytes after each piece of samples that was checked.
    """
    # A live recording writes samples before their record: sizes first, then the index.
    sizes = layout.data_sizes(folder)
    try:
        header = layout.read_stream_header(folder)
        with naming(folder / layout.INDEX):
            walk = index.walk((folder / layout.INDEX).read_bytes(), header.frame_bytes)
    except RecordingError as error:
        return StreamFindings(folder.name, problems=(_relative(folder, str(error)),))
    bad = _bad_payloads(folder, header, walk, advance)
    problems = (
        *_index_problems(walk),
        *_size_problems(folder, header, walk, sizes),
        *(f"{name}: {count} blocks do not match their checksum" for name, count in bad.items()),
        *_triplet_problems(folder, header, sizes),
    )
    return StreamFindings(
        header.name,
        index.sample_count(walk.trusted),
        index.missing_samples(walk.trusted),
        index.gap_count(walk.trusted),
        sum(bad.values()) + int(np.count_nonzero(~walk.sound)),
        tuple(_relative(folder, f"{folder}/{problem}") for problem in problems),
    )


def payload_matches(file: IO[bytes], record: Any, frame_bytes: int) -> bool:
    """Whether the samples of one sound index record are there and match its checksum."""
    size = int(record["count"]) * frame_bytes
    try:
        if file.tell() != record["offset"]:
            file.seek(int(record["offset"]))
        payload = file.read(size)
    except OSError:
        return False  # the disk cannot read them
    return len(payload) == size and zlib.crc32(payload) == record["payload_crc"]


def _index_problems(walk: index.Walk) -> Iterator[str]:
    bad = np.flatnonzero(~walk.sound)
    if len(bad):
        yield (
            f"{layout.INDEX}: {len(bad)} of {len(walk.records)} records are damaged or out of "
            f"place, the first is number {bad[0] + 1}"
        )
    if walk.torn_bytes:
        yield f"{layout.INDEX}: {walk.torn_bytes} bytes after the last whole record"


def _size_problems(
    folder: Path, header: layout.StreamHeader, walk: index.Walk, before: dict[str, int]
) -> Iterator[str]:
    sound = walk.records[walk.sound]
    sizes = index.part_sizes(sound, header.frame_bytes)
    covered = {layout.part_name(header.data, part): size for part, size in sizes.items()}
    now = layout.data_sizes(folder)
    for name in sorted({header.data, *covered, *before}):
        expected = covered.get(name, 0)
        if name not in now:
            # One that was only made ready goes when the recording ends without it.
            yield from [f"{name}: is missing"] if expected or name == header.data else []
        elif now[name] < expected:
            yield f"{name}: ends {expected - now[name]} bytes before what the index covers"
        elif before.get(name, 0) > expected:
            torn = before[name] - expected
            yield f"{name}: a torn end, {torn} bytes after the last block of the index"


def _bad_payloads(
    folder: Path, header: layout.StreamHeader, walk: index.Walk, advance: Advance
) -> dict[str, int]:
    """Return how many of a file's sound records have samples that do not match."""
    sound = walk.records[walk.sound]
    found = {}
    for part in np.unique(sound["part"]).tolist():
        records = sound[sound["part"] == part]
        path = folder / layout.part_name(header.data, part)
        try:
            found[path.name] = sum(
                1 for _ in mismatches(path, records, header.frame_bytes, advance)
            )
        except OSError:
            found[path.name] = len(records)
    return {name: count for name, count in found.items() if count}


def _triplet_problems(
    folder: Path, header: layout.StreamHeader, names: Iterable[str]
) -> Iterator[str]:
    """Yield where header and marker files are not those of the samples."""
    if not header.info.is_signal:
        return
    now = layout.data_sizes(folder)  # a part that was only made ready may have gone meanwhile
    for data in sorted({header.data, *(name for name in names if name in now)}):
        vhdr, vmrk = layout.header_name(data), layout.marker_name(data)
        expected = brainvision.parse_header(brainvision.format_header(header.info, data, vmrk))
        try:
            if brainvision.read_header(folder / vhdr) != expected:
                yield f"{vhdr}: does not agree with {layout.STREAM}"
            brainvision.read_markers(folder / vmrk)
        except RecordingError as error:
            yield str(error).removeprefix(f"{folder}/")


def _relative(folder: Path, problem: str) -> str:
    return problem.removeprefix(f"{folder.parent}/")
