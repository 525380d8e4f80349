"""Messages in a row mean exactly what they mean one by one."""

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import Block, Burst, Item
from rigctl.errors import ProtocolError
from rigctl.rda.assembly import Assembler
from rigctl.rda.messages import Data, DataRow, Message
from rigctl.rda.protocol import Parser

from . import golden
from .serving import apart


def parsed(raw: bytes) -> list[Message]:
    return Parser(in_rows=True).feed(golden.start() + raw)[1:]


def blocks(count: int, first: int = 1, points: int = 2) -> bytes:
    values = [[float(n * 100 + k) for k in range(2 * points)] for n in range(first, first + count)]
    return b"".join(golden.data32(n, row) for n, row in enumerate(values, first))


def test_equal_messages_with_rising_numbers_are_one_row_that_is_a_view():
    raw = bytearray(golden.start() + blocks(5, first=7))
    (_, row), consumed = Parser(in_rows=True).parse(memoryview(raw))
    assert consumed == len(raw)
    assert isinstance(row, DataRow)
    assert (row.block, row.samples.shape, row.samples.dtype) == (7, (5, 2, 2), np.dtype("<f4"))
    assert row.samples[:, 0, 0].tolist() == [700, 800, 900, 1000, 1100]
    raw[-4:] = struct.pack("<f", 5.0)
    assert row.samples[-1, -1, -1] == 5.0


def test_long_rows_are_found_whole():
    for count in (15, 16, 17, 127, 128, 129, 3000):
        (row,) = parsed(blocks(count))
        assert isinstance(row, DataRow)
        assert len(row.samples) == count


def test_numbers_go_on_past_32_bits():
    raw = b"".join(golden.data16(n % 2**32, [n % 100, 0]) for n in range(2**32 - 2, 2**32 + 2))
    (row,) = parsed(raw)
    assert isinstance(row, DataRow)
    assert len(row.samples) == 4
    assembler = Assembler()
    for message in Parser().feed(golden.start()):
        assembler.take(message, 0.0)
    (_, burst) = assembler.take(row, 0.0)
    assert isinstance(burst, Burst)
    (last,) = assembler.take(Data(2, np.zeros((1, 2), "<i2")), 0.0)
    assert isinstance(last, Block)
    assert last.counter == 2**32 + 2


@pytest.mark.parametrize(
    "ends",
    [
        golden.data32(4, [1.0] * 4, golden.marker(0), count=1),
        golden.data32(4, [1.0] * 4, b"junk"),
        golden.data32(4, [1.0] * 2),
        golden.data16(4, [1] * 8),
        golden.data32(5, [1.0] * 4),
        golden.data32(3, [1.0] * 4),
        golden.data32(4, []),
        golden.message(4, struct.pack("<III", 4, 2, 1) + bytes(16)),
        golden.KEEP_ALIVE,
        golden.STOP,
    ],
)
def test_what_is_unusual_ends_a_row_and_is_read_by_itself(ends):
    row, *rest = parsed(blocks(3) + ends + blocks(2, first=8))
    assert isinstance(row, DataRow)
    assert len(row.samples) == 3
    assert len(rest) in (2, 3)  # another number may begin the next row


def test_a_row_with_the_number_of_the_block_before_loses_that_one_only():
    raw = golden.start() + golden.data32(1, [0.0] * 4) + golden.KEEP_ALIVE + blocks(3, first=1)
    assert items_of([raw], in_rows=True) == items_of([raw], in_rows=False)


# --- whatever comes, and however it is cut


def told(item: Item) -> object:
    if not isinstance(item, Block):
        return item
    samples = item.samples
    return item.counter, item.flags, item.markers, samples.dtype, samples.tobytes(), samples.shape


def items_of(pieces: list[bytes], *, in_rows: bool) -> list[object]:
    """What the stream means, blocks one by one, and how it ended."""
    parser, assembler = Parser(10_000, in_rows=in_rows), Assembler()
    items: list[object] = []
    try:
        for piece in [*pieces, b""]:
            for message in parser.feed(piece):
                items += [told(one) for item in assembler.take(message, 0.0) for one in apart(item)]
    except ProtocolError as error:
        items.append(str(error))
    return items


BROKEN = (b"x" * 24, golden.message(4, size=23), golden.message(4, struct.pack("<III", 1, 9, 0)))
WHOLE = st.one_of(
    st.builds(blocks, st.integers(1, 40), st.integers(0, 50), st.integers(1, 3)),
    st.builds(lambda n, v: golden.data16(n, [v, 1]), st.integers(0, 50), st.integers(-5, 5)),
    st.builds(lambda n: golden.data32(n, [1.0] * 4, golden.marker(1), count=1), st.integers(0, 50)),
    st.sampled_from(
        [
            golden.start(),
            golden.start(b"a\0", channels=1, resolutions=(1.0,)),
            golden.start(interval_us=0.0),
            golden.STOP,
            golden.KEEP_ALIVE,
            golden.info(),
            golden.new_state(6),
            golden.data32(3, [], golden.marker(0), count=1),
            golden.TEST,
            *BROKEN,
        ]
    ),
)


@given(st.lists(WHOLE, max_size=12), st.lists(st.floats(0, 1), max_size=6))
def test_in_rows_or_one_by_one_every_stream_means_the_same_however_it_is_cut(messages, cuts):
    raw = b"".join([golden.start(), *messages])
    edges = [0, *sorted(int(cut * len(raw)) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(edges)]
    assert items_of(pieces, in_rows=True) == items_of([raw], in_rows=False)


@given(st.data())
def test_damaged_rows_mean_the_same_as_one_by_one(data):
    raw = bytearray(golden.start() + blocks(30) + golden.STOP)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert items_of([bytes(raw)], in_rows=True) == items_of([bytes(raw)], in_rows=False)
