"""Whatever bytes a server sends, items stay in order, and a usual server is heard behind them."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import aclosing

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import Block, Burst, Item, Run, StreamInfo
from rigctl.errors import ProtocolError
from rigctl.rda.assembly import Assembler
from rigctl.rda.client import RdaClient
from rigctl.rda.protocol import Parser

from . import golden
from .serving import is_block, quick, read_until, says, says_and_stays, server

SEEDS = 40


def usual_stream() -> bytes:
    block = golden.data32(5, [1.0, 2.0], golden.marker(0) + golden.marker(9), count=2)
    return b"".join(
        [
            golden.TEST,
            golden.info(),
            golden.new_state(1),
            golden.start(),
            *(golden.data32(n, [float(n)] * 4) for n in range(1, 5)),
            block,
            *(golden.data32(n, [float(n)] * 4) for n in range(6, 20)),
            golden.KEEP_ALIVE,
            golden.STOP,
            golden.IMPEDANCE_DATA,
            golden.start(b"x\0", channels=1, resolutions=(2.0,)),
            *(golden.message(2, np.array([n, 2, 0], "<u4").tobytes() + b"abcd") for n in range(9)),
        ]
    )


USUAL = usual_stream()


def items_of(pieces: list[bytes]) -> Iterator[Item]:
    parser, assembler = Parser(100_000, in_rows=True), Assembler()
    for piece in [*pieces, b""]:
        try:
            messages = parser.feed(piece)
        except ProtocolError:
            return
        for message in messages:
            yield from assembler.take(message, 1.0)


def check_order(items: Iterator[Item]) -> None:
    """Samples have the layout of their run and numbers that rise; markers lie on samples."""
    layout: StreamInfo | None = None
    last = -1
    for item in items:
        if isinstance(item, Run):
            layout, last = item.info, -1
        elif isinstance(item, Block | Burst):
            assert layout is not None
            assert item.samples.dtype == layout.numpy_dtype
            assert item.samples.shape[-1:] == layout.shape
            assert item.counter > last
            last = item.counter + (len(item.samples) - 1 if isinstance(item, Burst) else 0)
        if isinstance(item, Block):
            highest = max(len(item.samples) - 1, 0)
            assert all(0 <= marker.position <= highest for marker in item.markers)


def damaged(place: random.Random) -> bytes:
    """The usual stream with bytes changed, left out, put in and doubled."""
    raw = bytearray(USUAL)
    for _ in range(place.randint(1, 4)):
        at, size = place.randrange(len(raw)), place.choice([1, 1, 4, 24, 60])
        harm = place.choice(["change", "leave out", "put in", "double", "ones"])
        if harm == "change":
            raw[at] = place.randrange(256)
        elif harm == "leave out":
            del raw[at : at + size]
        elif harm == "put in":
            raw[at:at] = place.randbytes(size)
        elif harm == "double":
            raw[at:at] = raw[at : at + size]
        else:
            raw[at : at + 4] = b"\xff" * 4
    return bytes(raw)


@given(st.randoms(use_true_random=False))
def test_damage_never_puts_items_out_of_order(place: random.Random) -> None:
    raw = damaged(place)
    cut = place.randrange(len(raw) + 1)
    check_order(items_of([raw[:cut], raw[cut:]]))


@given(st.binary(max_size=400))
def test_noise_behind_a_start_never_puts_items_out_of_order(noise: bytes) -> None:
    check_order(items_of([golden.start(), golden.message(4, noise), noise]))


async def test_a_usual_server_is_heard_behind_any_number_of_damaged_ones() -> None:
    place = random.Random(1)
    scripts = [says(damaged(place)) for _ in range(SEEDS)]
    scripts += [says(place.randbytes(100)) for _ in range(SEEDS)]
    last = says_and_stays(golden.start(), golden.data32(777_777, [1.0] * 4))
    async with server(*scripts, last) as port, asyncio.timeout(20):
        settings = quick(port, stall_s=0.05, backoff_s=(0.0005, 0.001))
        async with aclosing(aiter(RdaClient(settings))) as items:
            found = await read_until(items, is_block(777_777))
    check_order(iter(found))
