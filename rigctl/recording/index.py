"""The index of a stream: one record per append, each chained to the one before (pure).

From: `stream_writer`, one record after each payload.  To: `reader` and `verify`, which trust
nothing else.

A record of `data.idx`, 64 bytes, little-endian::

     0  u32  magic, "RIX1"
     4  u32  part: 1 for data.eeg, 2 for data_0002.eeg, ...
     8  u64  offset of the payload in its part, in bytes
    16  u64  first sample, counted through all parts
    24  u64  the source's block counter
    32  f64  arrival on the rig's clock (time.monotonic), in seconds
    40  u64  samples known to be lost before it that nothing stands in for
    48  u32  count of samples
    52  u32  flags (`rigctl.blocks.BlockFlags`)
    56  u32  CRC-32 of the payload
    60  u32  CRC-32 of bytes 0 to 59, begun with the value of the record before (0 for the first)

Each check begins with the value that *stands* before it: a damaged record costs itself and perhaps
its successor, not all that follow.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rigctl.blocks import BlockFlags

MAGIC = int.from_bytes(b"RIX1", "little")

RECORD = np.dtype(
    [
        ("magic", "<u4"),
        ("part", "<u4"),
        ("offset", "<u8"),
        ("first", "<u8"),
        ("counter", "<u8"),
        ("arrival_s", "<f8"),
        ("missing", "<u8"),
        ("count", "<u4"),
        ("flags", "<u4"),
        ("payload_crc", "<u4"),
        ("crc", "<u4"),
    ]
)
RECORD_BYTES = RECORD.itemsize

Records = npt.NDArray[np.void]

_BODY = struct.Struct("<IIQQQdQIII")
_CRC = struct.Struct("<I")
_PAIR = struct.Struct(f"<{_BODY.size}sI")
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Record:
    """One append."""

    offset: int
    first: int
    count: int
    payload_crc: int
    counter: int = 0
    arrival_s: float = 0.0
    flags: BlockFlags = BlockFlags.NONE
    missing: int = 0
    part: int = 1


@dataclass(frozen=True, slots=True)
class Walk:
    """What an index file holds."""

    records: Records
    """All whole records, the damaged ones included."""
    sound: npt.NDArray[np.bool_]
    """Which of them match their checksum and follow on from the one before."""
    torn_bytes: int
    """What stands after the last whole record."""

    @property
    def trusted(self) -> Records:
        """The records up to the first that is damaged: what readers go by."""
        bad = np.flatnonzero(~self.sound)
        return self.records[: bad[0]] if len(bad) else self.records


def encode(record: Record, previous_crc: int) -> tuple[bytes, int]:
    """Return a record's bytes and its checksum, with which the next one begins."""
    body = _BODY.pack(
        MAGIC,
        record.part,
        record.offset,
        record.first,
        record.counter & _U64,
        record.arrival_s,
        record.missing,
        record.count,
        record.flags,
        record.payload_crc,
    )
    crc = zlib.crc32(body, previous_crc)
    return body + _CRC.pack(crc), crc


def walk(data: bytes, frame_bytes: int) -> Walk:
    """Read an index and check each record by itself and against the one before.

    Args:
        data: the file's bytes; a torn end is allowed.
        frame_bytes: the size of one sample of the stream, for the offsets.
    """
    whole = len(data) // RECORD_BYTES
    records = np.frombuffer(data, RECORD, whole)
    sound = _checksums_match(memoryview(data), records) & _follows_on(records, frame_bytes)
    return Walk(records, sound, len(data) - whole * RECORD_BYTES)


def gap_count(records: Records) -> int:
    """Return how often samples were lost."""
    return int(np.count_nonzero(records["flags"] & BlockFlags.GAP_BEFORE))


def missing_samples(records: Records) -> int:
    """Return how many samples are known to be lost, whether or not something stands in for them."""
    filled = records["count"][(records["flags"] & BlockFlags.FILLED) != 0]
    return int(filled.sum(dtype=np.uint64)) + int(records["missing"].sum(dtype=np.uint64))


def sample_count(records: Records) -> int:
    """Return how many samples the records cover, those that stand in for lost ones included."""
    return int(records["first"][-1]) + int(records["count"][-1]) if len(records) else 0


def part_sizes(records: Records, frame_bytes: int) -> dict[int, int]:
    """Return where each part ends, in bytes: behind the last of its records."""
    parts, last = np.unique(records["part"][::-1], return_index=True)
    ends = (records["offset"] + records["count"] * np.uint64(frame_bytes))[::-1][last]
    return dict(zip(parts.tolist(), ends.tolist(), strict=True))


def part_starts(records: Records, frame_bytes: int) -> dict[int, int]:
    """Return the number of each part's first sample, which any of its records tells."""
    parts, some = np.unique(records["part"], return_index=True)
    starts = records["first"][some] - records["offset"][some] // np.uint64(frame_bytes)
    return dict(zip(parts.tolist(), starts.tolist(), strict=True))


def _checksums_match(view: memoryview, records: Records) -> npt.NDArray[np.bool_]:
    crcs: list[int] = records["crc"].tolist()
    bodies = _PAIR.iter_unpack(view[: len(records) * RECORD_BYTES])
    found = [zlib.crc32(pair[0], crc) for pair, crc in zip(bodies, [0, *crcs], strict=False)]
    matches: npt.NDArray[np.bool_] = np.array(found, np.uint32) == records["crc"]
    matches &= records["magic"] == MAGIC
    return matches


def _follows_on(records: Records, frame_bytes: int) -> npt.NDArray[np.bool_]:
    """Return which records begin where the one before ends, or at the start of the next part."""
    follows = np.ones(len(records), np.bool_)
    if not len(records):
        return follows
    head: Any = records[0]
    follows[0] = head["first"] == 0 and head["offset"] == 0 and head["part"] == 1
    before, after = records[:-1], records[1:]
    ends = before["offset"] + before["count"] * np.uint64(frame_bytes)
    same_part = (after["part"] == before["part"]) & (after["offset"] == ends)
    next_part = (after["part"] == before["part"] + 1) & (after["offset"] == 0)
    adjacent = after["first"] == before["first"] + before["count"]
    follows[1:] = adjacent & (same_part | next_part)
    return follows
