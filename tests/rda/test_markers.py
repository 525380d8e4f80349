"""Markers of servers that state their sizes rightly or wrongly."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import Marker
from rigctl.rda.markers import read_markers
from rigctl.streams.blocktable import encode_markers

from .golden import marker


def double_size(position: int, texts: bytes) -> bytes:
    return marker(position, texts, size=16 + 2 * len(texts))


def test_the_next_marker_starts_at_the_stated_size():
    padded = marker(1, b"Response\0R  5\0\0\0\0")
    found, faults = read_markers(padded + marker(2, points=0, channel=3), 2)
    assert found == (
        Marker(1, "Response", "R  5"),
        Marker(2, "Stimulus", "S  1", points=0, channel=3),
    )
    assert faults == ()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_string_part_stated_twice_too_long_is_read_by_the_zeros(count):
    raw = b"".join(double_size(n, b"Stimulus\0S%3d\0" % n) for n in range(count))
    found, faults = read_markers(raw, count)
    assert found == tuple(Marker(n, "Stimulus", f"S{n:3d}") for n in range(count))
    assert faults == ()


@pytest.mark.parametrize(
    ("texts", "kind", "description"),
    [
        (b"Event:1\0", "Event:1", ""),
        (b"Event", "Event", ""),
        (b"", "", ""),
        (b"New Segment\0\0", "New Segment", ""),
        (b"Comment\0caf\xe9 \xb5V\0", "Comment", "café µV"),
        ("Comment\0π\0".encode(), "Comment", "π"),
    ],
)
def test_missing_strings_are_empty_and_text_of_both_kinds_is_read(texts, kind, description):
    assert read_markers(marker(0, texts), 1) == ((Marker(0, kind, description),), ())


def test_a_size_of_zero_is_overcome_by_the_zeros_of_the_texts():
    assert read_markers(marker(0, size=0) + marker(1), 2)[0][1].position == 1


def test_negative_positions_are_kept():
    assert read_markers(marker(-4), 1)[0][0].position == -4


def test_bytes_behind_the_last_marker_are_told_and_passed_over():
    found, faults = read_markers(marker(0) + b"junk", 1)
    assert len(found) == 1
    assert faults == ("4 bytes at the end of a data message are passed over",)


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (marker(0), 2),
        (marker(0), 0xFFFFFFFF),
        (marker(0, b"", size=0), 1),
        (marker(0, b"one\0", size=15), 1),
        (marker(0, b"no zero here", size=99), 1),
        (b"", 1),
    ],
)
def test_impossible_markers_are_dropped_with_a_reason(raw, count):
    found, faults = read_markers(raw, count)
    assert found == ()
    assert faults[0].endswith("dropped")


@given(st.binary(max_size=120), st.integers(0, 5))
def test_nothing_raises(raw, count):
    found, _ = read_markers(raw, count)
    assert len(found) in (0, count)


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_no_stated_size_or_count_raises_or_hangs(size, count):
    raw = struct.pack("<IiIi", size, 0, 1, -1) + b"a\0b\0"
    assert len(read_markers(raw, count)[0]) in (0, count)


def test_as_many_as_are_read_fit_into_a_ring():
    worst = (
        marker(2**31 - 1, b"\0\0", points=2**32 - 1, channel=-(2**31)),
        marker(0, b"\x81" * 99),
    )
    for one in worst:
        count = 2**18 // len(one)
        found, faults = read_markers(one * count, count)
        assert (len(found), faults) == (count, ())
        assert len(encode_markers(found)) < 2**20
        found, faults = read_markers(one * (count + 1), count + 1)
        assert (found, faults[0][-7:]) == ((), "dropped")
