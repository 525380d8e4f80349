"""JSON that carries its checksum: what is written comes back, and any change is found."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.errors import RecordingError
from rigctl.recording.checked import decode_document, decode_line, encode_document, encode_line

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), PLAIN, min_size=1, max_size=4)


@given(OBJECTS)
def test_what_is_encoded_comes_back(value: dict[str, Any]) -> None:
    assert decode_line(encode_line(value), dict[str, Any]) == value
    assert decode_document(encode_document(value), dict[str, Any]) == value


def test_the_text_is_ordinary_json_with_one_more_member() -> None:
    for text in (encode_line({"a": 1}), encode_document({"a": 1})):
        assert list(msgspec.json.decode(text)) == ["a", "crc32"]


@pytest.mark.parametrize(
    ("encode", "decode"), [(encode_line, decode_line), (encode_document, decode_document)]
)
def test_every_flipped_bit_is_found(encode: Any, decode: Any) -> None:
    text = encode({"state": "RUNNING", "value": [1, 2.5, "µ"]})
    for bit in range(len(text) * 8):
        changed = bytearray(text)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RecordingError):
            decode(bytes(changed), dict[str, Any])


def test_every_truncation_is_found() -> None:
    text = encode_line({"state": "RUNNING"})
    for length in range(len(text)):
        with pytest.raises(RecordingError, match="does not end with its checksum"):
            decode_line(text[:length], dict[str, Any])


def test_a_value_of_another_kind_is_refused() -> None:
    with pytest.raises(RecordingError, match="not what it should be"):
        decode_line(encode_line({"state": 1}), dict[str, str])
