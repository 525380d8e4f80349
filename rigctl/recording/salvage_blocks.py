"""Which appends of a damaged stream are there and intact.

From: what `salvage_index` read of its indices, and every file that samples may lie in.
To: `salvage_plan`.

A block is intact where its samples match the checksum in its record, in whichever file they lie:
a recovery may have moved them aside.
"""

import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rigctl.blocks import BlockFlags
from rigctl.recording import index, layout
from rigctl.recording.durable import naming
from rigctl.recording.salvage_index import Entry, Proof

_PAGE = 4096
_TORN_DATA = re.compile(r"data(?:_(\d{4,}))?\.torn(?:-\d+)?")


@dataclass(frozen=True, slots=True)
class Extent:
    """A file with samples of a part, and where in the part it begins."""

    path: Path
    part: int
    start: int
    size: int
    aside: bool = False
    """Whether a recovery moved it aside."""


@dataclass(frozen=True, slots=True)
class Block:
    """An append whose samples are intact."""

    record: index.Record
    proof: Proof
    path: Path
    at: int
    """Where in the file its samples begin."""
    aside: bool = False
    """Whether its record or its samples were moved aside by a recovery."""


def extents_of(folder: Path, header: layout.StreamHeader, cuts: Sequence[Entry]) -> list[Extent]:
    """Return every file that may hold samples of a stream, those in place first.

    Args:
        folder: the stream's.
        header: what is known of it.
        cuts: the first entry of each index that was moved aside: samples begin there, too.
    """
    sizes = layout.data_sizes(folder)
    parts = {name: layout.part_number(name) or 1 for name in sizes}
    kind = Path(header.data).suffix
    placed = [
        Extent(folder / name, part, 0, sizes[name])
        for name, part in sorted(parts.items(), key=lambda item: item[1])
        if Path(name).suffix == kind
    ]
    ends = {extent.part: extent.size for extent in placed}
    return [*placed, *_moved_aside(folder, ends, cuts)]


def _moved_aside(folder: Path, ends: dict[int, int], cuts: Sequence[Entry]) -> Iterator[Extent]:
    for path in sorted(folder.iterdir()):
        match = _TORN_DATA.fullmatch(path.name)
        if match is None:
            continue
        part, size = int(match[1] or 1), path.stat().st_size
        starts = [ends.get(part, 0), *(c.record.offset for c in cuts if c.record.part == part)]
        for start in dict.fromkeys(starts):
            yield Extent(path, part, start, size, aside=True)


def intact(
    entries: Sequence[Entry],
    extents: Sequence[Extent],
    header: layout.StreamHeader,
    advance: Callable[[int], None],
    *,
    aside: bool = False,
) -> list[Block]:
    """Return the entries whose samples match their checksum.

    Args:
        entries: of one index.
        extents: where samples may lie.
        header: the stream's.
        advance: told the number of bytes after each entry.
        aside: whether the index was moved aside.
    """
    found = []
    by_part: dict[int, list[Extent]] = {}
    for extent in extents:
        by_part.setdefault(extent.part, []).append(extent)
    for entry in entries:
        block = _located(entry, by_part.get(entry.record.part, []), header, aside)
        if block:
            found.append(block)
            advance(entry.record.count * header.frame_bytes)
    return found


def _located(
    entry: Entry, extents: Sequence[Extent], header: layout.StreamHeader, aside: bool
) -> Block | None:
    record = entry.record
    size = record.count * header.frame_bytes
    for extent in extents:
        at = record.offset - extent.start
        if at < 0 or at + size > extent.size:
            continue
        payload = read_at(extent.path, at, size)
        if payload is None or zlib.crc32(payload) != record.payload_crc:
            continue
        if entry.proof is Proof.LOOSE and _may_stand_in(payload, header):
            return None  # whether the source ever sent these is not known
        return Block(record, entry.proof, extent.path, at, aside or extent.aside)
    return None


def _may_stand_in(payload: bytes, header: layout.StreamHeader) -> bool:
    """Whether samples are what a gap is filled with."""
    samples: Any = np.frombuffer(payload, header.info.numpy_dtype)
    return bool(np.isnan(samples).all() if samples.dtype.kind in "fc" else not samples.any())


def is_filled(block: Block) -> bool:
    """Whether samples stand in for lost ones; those of a loose record are none that do."""
    return block.proof is not Proof.LOOSE and bool(block.record.flags & BlockFlags.FILLED)


def read_at(path: Path, at: int, size: int) -> bytes | None:
    """Return bytes of a file; None where they are not all there or the disk cannot read them."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            data = file.read(size)
    except OSError:
        return None
    return data if len(data) == size else None


def read_anyway(path: Path) -> bytes:
    """Return all of a file, with zeros for the pages that the disk cannot read; nothing if absent.

    Raises:
        RecordingError: it cannot be opened.
    """
    if not path.exists():
        return b""
    with naming(path):
        try:
            return path.read_bytes()
        except OSError:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(fd).st_size
                return b"".join(_page(fd, at) for at in range(0, size, _PAGE))[:size]
            finally:
                os.close(fd)


def _page(fd: int, at: int) -> bytes:
    try:
        return os.pread(fd, _PAGE, at).ljust(_PAGE, b"\0")
    except OSError:
        return bytes(_PAGE)
