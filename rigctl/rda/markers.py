r"""Markers at the end of a data message, whether their stated sizes are right or wrong (pure).

From: `decode`.  To: `messages.Data`.

    u32 size, itself included | i32 position | u32 points | i32 channel | type\0 | description\0

The next marker starts at the stated size. One server (RecView) counts two bytes per character and
sends one, so that the stated sizes lead past the message's end: then the zeros tell where texts
end.
Whatever the bytes, samples are never lost over markers: at worst the markers are dropped.
"""

from rigctl.blocks import Marker
from rigctl.rda.text import decode_text, split_texts
from rigctl.rda.wire import MARKER

_TEXTS = 2
_MOST_BYTES = 2**18
"""More are dropped: no amplifier sends them, and any number would not fit into a ring."""
_Walk = tuple[list[Marker], int]


def read_markers(raw: bytes, count: int) -> tuple[tuple[Marker, ...], tuple[str, ...]]:
    """Return the markers in the bytes behind a block's samples, and what is wrong with them.

    Args:
        raw: all bytes between the samples and the message's end.
        count: how many markers the message states; any number.
    """
    if not count:
        return (), _trailing(len(raw))
    if len(raw) > _MOST_BYTES:
        return (), (f"{len(raw)} bytes of markers are more than {_MOST_BYTES}: dropped",)
    if count > len(raw) // MARKER.size:
        return (), (f"{count} markers are stated and {len(raw)} bytes follow: dropped",)
    sized = _walk_sizes(raw, count)
    if sized and sized[1] == len(raw):
        return tuple(sized[0]), ()
    by_zeros = _walk_zeros(raw, count)
    if by_zeros and by_zeros[1] == len(raw):
        return tuple(by_zeros[0]), ()
    if sized:
        return tuple(sized[0]), _trailing(len(raw) - sized[1])
    return (), (f"{count} markers have impossible sizes: dropped",)


def _trailing(size: int) -> tuple[str, ...]:
    return (f"{size} bytes at the end of a data message are passed over",) if size else ()


def _walk_sizes(raw: bytes, count: int) -> _Walk | None:
    found, begin = [], 0
    for _ in range(count):
        if begin + MARKER.size > len(raw):
            return None
        size, *_numbers = MARKER.unpack_from(raw, begin)
        if size < MARKER.size or begin + size > len(raw):
            return None
        texts = split_texts(raw[begin + MARKER.size : begin + size], _TEXTS)
        found.append(_marker(raw, begin, texts))
        begin += size
    return found, begin


def _walk_zeros(raw: bytes, count: int) -> _Walk | None:
    found, begin = [], 0
    for _ in range(count):
        type_begin = begin + MARKER.size
        type_end = raw.find(b"\0", type_begin)
        end = raw.find(b"\0", type_end + 1)
        if type_begin > len(raw) or type_end < 0 or end < 0:
            return None
        texts = [decode_text(raw[type_begin:type_end]), decode_text(raw[type_end + 1 : end])]
        found.append(_marker(raw, begin, texts))
        begin = end + 1
    return found, begin


def _marker(raw: bytes, begin: int, texts: list[str]) -> Marker:
    _size, position, points, channel = MARKER.unpack_from(raw, begin)
    kind, description = (*texts, "", "")[:_TEXTS]
    return Marker(position, kind, description, points=points, channel=channel)
