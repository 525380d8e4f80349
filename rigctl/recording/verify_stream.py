"""Whether one stream's files are what their index says.

From: a stream's folder, of a recording that goes on or is done.  To: `verify`.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from rigctl.errors import RecordingError
from rigctl.recording import brainvision, index, layout
from rigctl.recording.durable import naming

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
    bad = sum(1 for _ in _bad_payloads(folder, header, walk, advance))
    problems = (
        *_index_problems(walk),
        *_size_problems(folder, header, walk, sizes),
        *([f"{header.data}: {bad} blocks do not match their checksum"] if bad else []),
        *_triplet_problems(folder, header),
    )
    return StreamFindings(
        header.name,
        index.sample_count(walk.trusted),
        index.missing_samples(walk.trusted),
        index.gap_count(walk.trusted),
        bad + int(np.count_nonzero(~walk.sound)),
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
            yield f"{name}: is missing"
        elif now[name] < expected:
            yield f"{name}: ends {expected - now[name]} bytes before what the index covers"
        elif before.get(name, 0) > expected:
            torn = before[name] - expected
            yield f"{name}: a torn end, {torn} bytes after the last block of the index"


def _bad_payloads(
    folder: Path, header: layout.StreamHeader, walk: index.Walk, advance: Advance
) -> Iterator[int]:
    """Yield the numbers of the sound records whose samples do not match."""
    sound = np.flatnonzero(walk.sound)
    for part in np.unique(walk.records["part"][sound]):
        numbers = sound[walk.records["part"][sound] == part]
        path = folder / layout.part_name(header.data, int(part))
        try:
            with path.open("rb") as file:
                for number in numbers:
                    record = walk.records[number]
                    if not payload_matches(file, record, header.frame_bytes):
                        yield int(number)
                    advance(int(record["count"]) * header.frame_bytes)
        except FileNotFoundError:
            yield from map(int, numbers)


def _triplet_problems(folder: Path, header: layout.StreamHeader) -> Iterator[str]:
    """Yield where header and marker file are not those of the samples."""
    if not header.info.is_signal:
        return
    vhdr = Path(header.data).with_suffix(".vhdr").name
    vmrk = Path(header.data).with_suffix(".vmrk").name
    expected = brainvision.parse_header(brainvision.format_header(header.info, header.data, vmrk))
    try:
        if brainvision.read_header(folder / vhdr) != expected:
            yield f"{vhdr}: does not agree with {layout.STREAM}"
        brainvision.read_markers(folder / vmrk)
    except RecordingError as error:
        yield str(error).removeprefix(f"{folder}/")


def _relative(folder: Path, problem: str) -> str:
    return problem.removeprefix(f"{folder.parent}/")
