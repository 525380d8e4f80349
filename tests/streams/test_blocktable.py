import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import Marker
from rigctl.errors import RingError
from rigctl.streams.blocktable import BlockTable, Row, decode_markers, encode_markers

TEXT = st.text(st.characters(codec="utf-8"))
MARKERS = st.lists(
    st.builds(
        Marker, st.integers(-(2**31), 2**31), TEXT, TEXT, st.integers(0, 2**32), st.integers(-1, 99)
    ),
    max_size=5,
)


def row(number: int) -> Row:
    return Row(number, 10 * number, 10, number / 8, 1, 2, 3, 4)


def test_rows_come_back_across_the_end(tmp_path):
    table = BlockTable.create(tmp_path, 8)
    for number in range(13):
        table.put(number, row(number))
    reader = BlockTable(tmp_path, 8, writable=False)
    assert reader.row(12) == row(12)
    assert reader.rows(5, 13) == [row(number) for number in range(5, 13)]
    assert reader.rows(6, 8) == [row(6), row(7)]
    assert reader.rows(9, 9) == []
    assert row(3).stop == 40


def test_table_of_another_size_is_refused(tmp_path):
    BlockTable.create(tmp_path, 8)
    with pytest.raises(RingError, match="size"):
        BlockTable(tmp_path, 16, writable=False)


@given(MARKERS, st.integers(0, 2**40))
def test_markers_come_back_at_absolute_positions(markers, first):
    expected = [
        Marker(first + m.position, m.type, m.description, m.points, m.channel) for m in markers
    ]
    assert decode_markers(encode_markers(tuple(markers)), first) == expected


def test_no_marker_takes_no_byte():
    assert encode_markers(()) == b""


def test_half_a_surrogate_pair_does_not_stop_the_stream():
    (marker,) = decode_markers(encode_markers((Marker(1, "Comment", "a\ud800b"),)), 0)
    assert marker.description == "a?b"


@pytest.mark.parametrize("raw", [b"\xc1", b"\x91\x01", b"\x91\x95\x01\xa1\xff\xa0\x01\x00"])
def test_what_are_no_markers_is_refused(raw):
    with pytest.raises(RingError, match="sample 7"):
        decode_markers(raw, 7)
