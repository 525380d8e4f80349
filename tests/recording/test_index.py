"""The index: its layout in bytes, and what is found of damage to it."""

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import BlockFlags
from rigctl.recording import index
from rigctl.recording.index import RECORD_BYTES, Record

FRAME = 8


def chain(records: list[Record]) -> bytes:
    data, crc = b"", 0
    for record in records:
        entry, crc = index.encode(record, crc)
        data += entry
    return data


def appends(counts: list[int], part_of: int = 1000) -> list[Record]:
    """Return records that follow on; a new part begins after every `part_of` records."""
    records: list[Record] = []
    first = offset = 0
    for number, count in enumerate(counts):
        offset = 0 if number % part_of == 0 else offset
        part = 1 + number // part_of
        records.append(Record(offset, first, count, 7 * number, number, 0.5 * number, part=part))
        first, offset = first + count, offset + count * FRAME
    return records


def test_a_record_has_the_layout_that_is_documented() -> None:
    record = Record(16, 2, 5, 0xDEADBEEF, 77, 1.5, BlockFlags.GAP_BEFORE, 9, 3)
    entry, crc = index.encode(record, 0x1234)
    body = b"RIX1" + struct.pack("<IQQQdQIII", 3, 16, 2, 77, 1.5, 9, 5, 1, 0xDEADBEEF)
    assert entry == body + struct.pack("<I", zlib.crc32(body, 0x1234))
    assert len(entry) == RECORD_BYTES == 64
    assert crc == zlib.crc32(body, 0x1234)


@given(st.lists(st.integers(1, 1000), max_size=20), st.integers(1, 5))
def test_records_that_follow_on_are_all_trusted(counts: list[int], part_of: int) -> None:
    records = appends(counts, part_of)
    walk = index.walk(chain(records), FRAME)
    assert walk.sound.all()
    assert walk.torn_bytes == 0
    assert walk.trusted["arrival_s"].tolist() == [record.arrival_s for record in records]
    assert index.sample_count(walk.trusted) == sum(counts)


def test_every_flipped_bit_is_found_and_costs_at_most_its_successors() -> None:
    data = chain(appends([3, 4, 5, 6]))
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        walk = index.walk(bytes(changed), FRAME)
        damaged = bit // 8 // RECORD_BYTES
        assert not walk.sound[damaged]
        assert len(walk.trusted) == damaged
        assert walk.sound[damaged + 2 :].all()


def test_every_truncation_leaves_the_whole_records() -> None:
    data = chain(appends([3, 4, 5]))
    for length in range(len(data)):
        walk = index.walk(data[:length], FRAME)
        assert len(walk.trusted) == length // RECORD_BYTES
        assert walk.torn_bytes == length % RECORD_BYTES


def test_records_that_do_not_follow_on_are_not_trusted() -> None:
    good = Record(0, 0, 2, 0)
    for follower in (
        Record(16, 3, 2, 0),
        Record(24, 2, 2, 0),
        Record(16, 2, 2, 0, part=2),
        Record(0, 2, 2, 0, part=3),
    ):
        assert len(index.walk(chain([good, follower]), FRAME).trusted) == 1
    assert len(index.walk(chain([Record(8, 0, 2, 0)]), FRAME).trusted) == 0


def test_zeros_that_a_power_cut_leaves_are_not_records() -> None:
    data = chain(appends([3, 4]))
    assert len(index.walk(data + bytes(128), FRAME).trusted) == 2


def test_gaps_and_missing_samples_are_counted() -> None:
    records = [
        Record(0, 0, 4, 0),
        Record(32, 4, 3, 0, flags=BlockFlags.FILLED | BlockFlags.GAP_BEFORE),
        Record(56, 7, 2, 0, flags=BlockFlags.FILLED),
        Record(72, 9, 1, 0, flags=BlockFlags.GAP_BEFORE, missing=100),
    ]
    trusted = index.walk(chain(records), FRAME).trusted
    assert index.gap_count(trusted) == 2
    assert index.missing_samples(trusted) == 105
    assert index.part_sizes(trusted, FRAME) == {1: 80}


def test_an_empty_index_counts_nothing() -> None:
    trusted = index.walk(b"", FRAME).trusted
    assert (index.sample_count(trusted), index.gap_count(trusted)) == (0, 0)
    assert index.part_sizes(trusted, FRAME) == {}
