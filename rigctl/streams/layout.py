"""What a ring is made of: its files, their layout and their sizes (pure).

From: `RingWriter.create`.  To: every file of this package.

A ring is a private folder in shared memory:

    rigctl-<uid>-<name>/
        head       what the stream is, and how far it is written   (readers map it read only)
        samples    frames, twice in a row in memory, see `mapping`
        blocks     a ring of block records
        markers    a ring of bytes: each block's markers, msgpack; twice in a row in memory too
        readers    u64: changes when a reader comes, -1 when the ring is gone; its lock orders both
        writer     text: process id and start time of the writer
        wake-*     a named FIFO per waiting reader, which the writer pokes

`head`, in 8-byte little-endian words; what the writer announces and what it publishes lie in
cache lines of their own:

    byte 0    magic and version, bytes of the plan
        64    announced: samples, marker bytes, blocks
       128    published: samples, blocks
       192    run, arrival time (f64), heartbeat (f64), closed, bytes of the reason
      1024    why it was closed, UTF-8
      4096    the plan, JSON

A block record, 64 bytes:

    i64 source's counter | i64 first sample | i64 points | f64 arrival time
    i64 flags            | i64 run          | i64 first marker byte | i64 end of its marker bytes

Samples, blocks and marker bytes are counted from the ring's beginning and never wrap; place =
count modulo capacity. A count is valid while ``announced - capacity <= count < published``.
"""

import math
import mmap
import platform
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import msgspec

from rigctl.blocks import StreamInfo
from rigctl.errors import RingError

HEAD, SAMPLES, BLOCKS, MARKERS = "head", "samples", "blocks", "markers"
READERS, WRITER, WAKE = "readers", "writer", "wake-"

MAGIC = int.from_bytes(b"rigring1", "little")
WORD = 8
MAGIC_AT, PLAN_SIZE_AT = 0, 1
SAMPLES_BEGIN_AT, MARKERS_BEGIN_AT, BLOCKS_BEGIN_AT = 8, 9, 10
SAMPLES_END_AT, BLOCKS_END_AT = 16, 17
RUN_AT, ARRIVAL_AT, HEARTBEAT_AT, CLOSED_AT, REASON_SIZE_AT = 24, 25, 26, 27, 28
REASON_BYTE, PLAN_BYTE = 1024, 4096

BLOCK = struct.Struct("<qqqdqqqq")
LIKENESS = struct.Struct("<qqqq")
"""What rows of blocks that are alike have in common: all behind the arrival time."""
BLOCK_OF_A_KIND = struct.Struct(f"<qqqd{LIKENESS.size}s")
"""A row with its likeness as bytes."""

TOTAL_STORE_ORDER = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
"""Whether the processor shows stores to others in their order, so that no lock is needed."""

_MARKER_BYTES = 1 << 20
_MIN_BLOCKS, _MAX_BLOCKS = 1 << 10, 1 << 16
_SMALL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What is constant for the life of a ring."""

    info: StreamInfo
    capacity: int
    """In frames."""
    mirrored: bool
    """Whether samples and markers are mapped twice (or written twice)."""
    locked: bool
    """Whether counts are stored and loaded under a lock."""
    block_slots: int
    """How many block records there are; a power of two."""
    marker_bytes: int = _MARKER_BYTES
    """How large the ring of marker bytes is; whole pages."""


def make_plan(info: StreamInfo, frames: int, mirrored: bool | None = None) -> Plan:
    """Plan a ring of at least so many frames.

    Args:
        info: the layout of the frames.
        frames: how many it holds at least.
        mirrored: map twice or write twice; None chooses what costs less memory.

    Raises:
        RingError: there is nothing to hold.
    """
    if frames < 1 or info.frame_bytes < 1:
        raise RingError(f"a ring holds one frame at least, not {frames} of {info.frame_bytes} B")
    rounded = _whole_pages(frames, info.frame_bytes)
    if mirrored is None:
        # Frames of odd sizes, such as 1023 x 767 bytes, meet the pages only after gigabytes.
        mirrored = rounded * info.frame_bytes <= max(2 * frames * info.frame_bytes, _SMALL_BYTES)
    capacity = rounded if mirrored else frames
    slots = min(max(1 << (capacity - 1).bit_length(), _MIN_BLOCKS), _MAX_BLOCKS)
    return Plan(info, capacity, mirrored, not TOTAL_STORE_ORDER, slots)


def encode_plan(plan: Plan) -> bytes:
    """Return the plan as JSON; the rate as ``numerator/denominator``."""
    return msgspec.json.encode(plan, enc_hook=str)


def decode_plan(raw: bytes) -> Plan:
    """Read what `encode_plan` wrote.

    Raises:
        RingError: it is no plan.
    """
    try:
        return msgspec.json.decode(raw, type=Plan, dec_hook=_fraction)
    except msgspec.MsgspecError as error:
        raise RingError(f"the ring does not say what it holds: {error}") from error


def _fraction(kind: type, value: Any) -> Fraction:
    if kind is not Fraction:
        raise NotImplementedError(kind)
    return Fraction(value)


def _whole_pages(frames: int, frame_bytes: int) -> int:
    """Return the next number of frames that fills whole pages."""
    step = mmap.ALLOCATIONGRANULARITY // math.gcd(mmap.ALLOCATIONGRANULARITY, frame_bytes)
    return -(-frames // step) * step
