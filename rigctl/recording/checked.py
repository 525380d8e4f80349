r"""JSON texts that carry a checksum of themselves (pure).

From: values to be kept.  To: `events.jsonl`, `session.json`, `stream.json`, `manifest.json`.

The last member of the object is the CRC-32 of every byte that stands before its comma, so that a
flipped bit anywhere in the text is found, and any program that knows JSON can still read it::

    {"sequence":1,"value":"S  1","crc32":"5f3a09c2"}\n      a line
    {\n  "state": "RUNNING",\n  "crc32": "91be00d4"\n}\n    a document
"""

import re
import zlib
from typing import Any, TypeVar

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording.one_bit import put_right

_T = TypeVar("_T")

_LINE_TAIL = re.compile(rb',"crc32":"([0-9a-f]{8})"}\n')
_DOCUMENT_TAIL = re.compile(rb',\n  "crc32": "([0-9a-f]{8})"\n}\n')
_LINE_END = b',"crc32":"%08x"}\n'
_DOCUMENT_END = b',\n  "crc32": "%08x"\n}\n'
_LINE_TAIL_BYTES = len(_LINE_END % 0)
_DOCUMENT_TAIL_BYTES = len(_DOCUMENT_END % 0)


def encode_line(value: Any) -> bytes:
    """Return a value as one line; it must become a JSON object with at least one member."""
    body = msgspec.json.encode(value)[:-1]
    return body + _LINE_END % zlib.crc32(body)


def encode_document(value: Any) -> bytes:
    """Return a value as an indented text for people; otherwise as `encode_line`."""
    body = msgspec.json.format(msgspec.json.encode(value), indent=2)[:-2]
    return body + _DOCUMENT_END % zlib.crc32(body)


def decode_line(line: bytes, kind: type[_T]) -> _T:
    """Read a line of `encode_line`, its line end included.

    Raises:
        RecordingError: it is not whole, was changed, or is no such value.
    """
    return _decode(line, _LINE_TAIL.fullmatch(line[-_LINE_TAIL_BYTES:]), kind)


def decode_document(text: bytes, kind: type[_T]) -> _T:
    """Read a text of `encode_document`.

    Raises:
        RecordingError: as `decode_line`.
    """
    return _decode(text, _DOCUMENT_TAIL.fullmatch(text[-_DOCUMENT_TAIL_BYTES:]), kind)


def line_put_right(line: bytes) -> bytes | None:
    """Return a line as it was before one bit of it was flipped; None if that is not all."""
    return _put_right(line, _LINE_TAIL, _LINE_END)


def document_put_right(text: bytes) -> bytes | None:
    """Return a document as it was before one bit of it was flipped; None if that is not all."""
    return _put_right(text, _DOCUMENT_TAIL, _DOCUMENT_END)


def _put_right(text: bytes, tail: re.Pattern[bytes], end: bytes) -> bytes | None:
    size = len(end % 0)
    body, found = text[:-size], text[-size:]
    expected = end % zlib.crc32(body)
    if len(found) == size and _bits_between(found, expected) <= 1:
        return body + expected
    match = tail.fullmatch(found)
    right = put_right(body, int(match[1], 16)) if match else None
    return right and right[0] + found


def _bits_between(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _decode(text: bytes, tail: re.Match[bytes] | None, kind: type[_T]) -> _T:
    # Written so that the digits are compared as text: a bit turns "a" into "A", the same number.
    if tail is None:
        raise RecordingError("it does not end with its checksum")
    body = text[: len(text) - len(tail[0])]
    if tail[1] != b"%08x" % zlib.crc32(body):
        raise RecordingError("its checksum does not match: it was changed or damaged")
    try:
        return msgspec.json.decode(body + b"}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingError(f"it is not what it should be: {error}") from error
