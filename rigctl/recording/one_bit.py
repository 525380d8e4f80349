"""One flipped bit, put right by the CRC-32 of the text that holds it (pure).

From: `checked` and `salvage_index`, what does not match its checksum.  To: the same, as it was.

A CRC is linear: what a flipped bit does to it depends only on how far from the end it lies, and two
bits of a text of less than half a gigabyte never do the same. So the difference between the two
checksums names the bit. Other damage looks like one bit with a chance of 8 n / 2^32 for n bytes:
one in seven million for a line of the index.
"""

import zlib

_ALL = 0xFFFF_FFFF
_TABLE = [zlib.crc32(bytes((value,)), _ALL) ^ _ALL for value in range(256)]
"""What a byte does to a checksum of 0."""
_BY_TOP = {entry >> 24: value for value, entry in enumerate(_TABLE)}
_BITS = {_TABLE[1 << bit]: bit for bit in range(8)}


def put_right(body: bytes, crc: int, start: int = 0) -> tuple[bytes, int] | None:
    """Return a text and its checksum as they were before one bit of either was flipped.

    Args:
        body: the text.
        crc: the checksum that stands for it.
        start: the value with which the checksum begins.

    Returns:
        None where more than one bit was flipped; both as they are where none was.
    """
    difference = zlib.crc32(body, start) ^ crc
    if difference.bit_count() <= 1:
        return body, crc ^ difference
    at = _flipped(len(body), difference)
    if at is None:
        return None
    right = bytearray(body)
    right[at // 8] ^= 1 << at % 8
    return bytes(right), crc


def _flipped(size: int, difference: int) -> int | None:
    """Return which bit of a text makes such a difference: eight times its byte, plus its own."""
    for at in range(size - 1, -1, -1):
        bit = _BITS.get(difference)
        if bit is not None:
            return 8 * at + bit
        value = _BY_TOP[difference >> 24]
        difference = ((difference ^ _TABLE[value]) << 8 | value) & _ALL
    return None
