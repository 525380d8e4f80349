"""Text of any kind is read, and names become usable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.rda.text import (
    channel_names,
    decode_text,
    encode_text,
    split_texts,
    split_wide_texts,
)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"Cz", "Cz"),
        (b"GSR \xb5S", "GSR µS"),
        ("GSR µS".encode(), "GSR µS"),
        (b"\x81", "\N{REPLACEMENT CHARACTER}"),
        (b"", ""),
    ],
)
def test_windows_1252_unless_it_is_valid_utf8(raw, text):
    assert decode_text(raw) == text


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")))
def test_text_survives_the_round_trip(text):
    assert split_texts(encode_text(text), 1) == [text]


def test_text_is_sent_as_windows_1252_where_that_is_read_back():
    assert encode_text("µ") == b"\xb5\0"
    assert encode_text("Ã©") == "Ã©".encode() + b"\0"  # as Windows-1252 it would read as é


@given(st.binary(max_size=40), st.integers(0, 5))
def test_no_bytes_raise(raw, count):
    assert len(split_texts(raw, count)) <= count
    assert len(split_wide_texts(raw, count)) <= count
    names, _ = channel_names(split_texts(raw, count), count)
    assert len(set(names)) == len(names) == count
    assert all(names)


def test_missing_names_are_filled_and_double_ones_numbered():
    names, faults = channel_names(["Cz", "", "Cz", " Cz ", "Cz_2"], 6)
    assert names == ("Cz", "Ch2", "Cz_3", "Cz_4", "Cz_2", "Ch6")
    assert len(faults) == 2


def test_a_filled_name_does_not_meet_a_real_one():
    assert channel_names(["Ch2", ""], 2)[0] == ("Ch2", "Ch2_2")


def test_line_breaks_cannot_leave_a_name():
    assert channel_names(["a\r\nb"], 1)[0] == ("a  b",)


def test_thousands_of_equal_names_are_numbered_quickly():
    names, _ = channel_names(["x"] * 4096, 4096)
    assert len(set(names)) == 4096
