"""What can still be read of an index that was damaged (pure).

From: the bytes of `data.idx` and `data.idx.torn`.  To: `salvage_blocks`, which asks the samples.

A record is believed as far as something speaks for it:

    SOUND     its checksum matches, begun with the value before it, or with what that should be
    PUT_RIGHT one bit of it was flipped; its checksum says which
    LOOSE     only its magic is right: damaged, or whole behind one that is damaged, which cannot be
              told apart; it counts where the checksum of the samples that it holds matches them,
              and then its time, counter and flags are not proven

After bytes that are no record, reading goes on at the next magic.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rigctl.blocks import BlockFlags
from rigctl.recording.index import MAGIC, RECORD_BYTES, Record
from rigctl.recording.one_bit import put_right

_FIELDS = struct.Struct("<IIQQQdQIIII")
_BODY_BYTES = RECORD_BYTES - 4
_MAGIC = MAGIC.to_bytes(4, "little")
_LIKELY = 2
"""With how many values a bit is looked for; with each, chance may find one that is none."""
_KNOWN_FLAGS = BlockFlags(sum(BlockFlags))


class Proof(Enum):
    """What speaks for a record."""

    SOUND = "sound"
    PUT_RIGHT = "put right"
    LOOSE = "loose"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record that may be taken."""

    record: Record
    proof: Proof
    crc: int
    """The value with which the check of the next one begins."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What an index file holds."""

    entries: tuple[Entry, ...]
    unread_bytes: int
    """What is no record, a torn end included."""


def scan(data: bytes, before: Sequence[int] = (0,)) -> Scan:
    """Read an index, whatever happened to it.

    Args:
        data: the file's bytes.
        before: the values with which the check of the first record may begin, likely ones first.
    """
    entries: list[Entry] = []
    at = unread = 0
    starts: Sequence[int] = before
    while at + RECORD_BYTES <= len(data):
        following = data.find(_MAGIC, at + 1, at + RECORD_BYTES + 3)
        if data[at : at + 4] != _MAGIC and following >= 0 and following - at < RECORD_BYTES:
            unread += following - at
            at = following
            continue
        slot = data[at : at + RECORD_BYTES]
        entry, starts = _read(slot, starts)
        if entry:
            entries.append(entry)
        else:
            unread += RECORD_BYTES
        at += RECORD_BYTES
    return Scan(tuple(entries), unread + len(data) - at)


def _read(slot: bytes, starts: Sequence[int]) -> tuple[Entry | None, Sequence[int]]:
    """Return what a record's bytes say, and with which values the check of the next may begin."""
    body, crc = slot[:_BODY_BYTES], int.from_bytes(slot[_BODY_BYTES:], "little")
    whole = slot.startswith(_MAGIC)
    if whole and any(zlib.crc32(body, start) == crc for start in starts):
        return _entry(body, crc, Proof.SOUND), (crc,)
    for start in starts[:_LIKELY]:
        right = put_right(body, crc, start)
        if right and right[0].startswith(_MAGIC):
            return _entry(*right, Proof.PUT_RIGHT), (right[1],)
    if not whole:
        return None, (crc,)
    # Either the record is damaged or the value of its checksum: the next one tells which.
    computed = [zlib.crc32(body, start) for start in starts if len(starts) == 1]
    return _entry(body, crc, Proof.LOOSE), (crc, *computed)


def _entry(body: bytes, crc: int, proof: Proof) -> Entry | None:
    fields = _FIELDS.unpack(body + crc.to_bytes(4, "little"))
    _, part, offset, first, counter, arrival_s, missing, count, flags, payload_crc, _ = fields
    if not count or not part:
        return None  # no append is empty
    record = Record(
        offset=offset,
        first=first,
        count=count,
        payload_crc=payload_crc,
        counter=counter,
        arrival_s=arrival_s,
        flags=BlockFlags(flags) & _KNOWN_FLAGS,
        missing=missing,
        part=part,
    )
    return Entry(record, proof, crc)
