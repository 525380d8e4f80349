"""The client against servers that do what servers do."""

import asyncio
import struct
from contextlib import aclosing

import numpy as np
import pytest

from rigctl.blocks import BlockFlags, Lull
from rigctl.errors import DeviceError
from rigctl.rda.client import ClientSettings, RdaClient
from rigctl.rda.encode import encode
from rigctl.rda.messages import Data

from . import golden
from .serving import (
    blocks,
    is_block,
    is_lost,
    is_lull,
    lulls,
    notices,
    quick,
    read_until,
    runs,
    says,
    says_and_stays,
    server,
)

BLOCK = [1.0, 2.0, 3.0, 4.0]
HELLO = golden.info() + golden.start()


def opened(settings: ClientSettings):
    return aclosing(aiter(RdaClient(settings)))


async def test_what_a_server_sends_comes_as_a_run_and_blocks():
    script = says_and_stays(HELLO, golden.data32(1, BLOCK), golden.data32(2, BLOCK))
    async with server(script) as port, opened(quick(port)) as items:
        found = await read_until(items, is_block(2))
    assert [lull.reason for lull in lulls(found)] == [
        f"connecting to 127.0.0.1:{port}",
        f"connected to 127.0.0.1:{port}; waiting for START",
    ]
    assert [channel.unit for channel in runs(found)[0].info.channels] == ["µV", "mV"]
    assert [block.samples.tolist() for block in blocks(found)] == [[[1, 2], [3, 4]]] * 2


async def test_a_lost_connection_is_told_and_made_again():
    scripts = says(HELLO, golden.data32(1, BLOCK)), says_and_stays(HELLO, golden.data32(9, BLOCK))
    async with server(*scripts) as port, opened(quick(port)) as items:
        first = await read_until(items, is_lost)
        second = await read_until(items, is_block(9))
    assert [block.counter for block in blocks(first)] == [1]
    assert "the server closed the connection" in lulls(first)[-1].reason
    assert len(runs(second)) == 1
    assert blocks(second)[0].flags == BlockFlags.NEW_RUN


async def test_nobody_listening_is_told_once_and_tried_again():
    async with server(says()) as port:
        pass
    async with opened(quick(port)) as items:
        await read_until(items, is_lull("nothing listens there"))
        waiting = asyncio.ensure_future(read_until(items, is_block(1)))
        script = says_and_stays(HELLO, golden.data32(1, BLOCK))
        async with server(script, port=port):
            found = await waiting
    assert [lull.lost for lull in lulls(found)] == [False]


async def test_a_server_that_stays_away_after_a_loss_counts_as_lost():
    async with server(says(HELLO)) as port:
        items = aiter(RdaClient(quick(port)))
        await read_until(items, is_lost)
    async with aclosing(items):
        (*_, lull) = await read_until(items, is_lull("nothing listens there"))
    assert isinstance(lull, Lull)
    assert lull.lost


async def test_a_server_that_stops_sending_is_found_and_connected_anew():
    scripts = (
        says_and_stays(HELLO, golden.data32(1, BLOCK)),
        says_and_stays(HELLO, golden.data32(2, BLOCK)),
    )
    async with server(*scripts) as port, opened(quick(port, stall_s=0.05)) as items:
        first = await read_until(items, is_lost)
        second = await read_until(items, is_block(2))
    assert "no message for 0.05 s" in lulls(first)[-1].reason
    assert len(runs(second)) == 1


async def test_a_trickle_of_bytes_is_not_progress():
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(HELLO + golden.data32(1, BLOCK))
        for byte in golden.message(4, bytes(10_000)):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.005)

    async with server(trickle) as port, opened(quick(port, stall_s=0.05)) as items:
        found = await read_until(items, is_lost)
    assert "no message" in lulls(found)[-1].reason


@pytest.mark.parametrize("messages", [golden.KEEP_ALIVE, HELLO + golden.STOP])
async def test_silence_without_a_run_is_waited_out(messages):
    released = asyncio.Event()

    async def patient(writer: asyncio.StreamWriter) -> None:
        writer.write(messages)
        await released.wait()
        await says_and_stays(golden.start(), golden.data32(1, BLOCK))(writer)

    async with server(patient) as port, opened(quick(port, stall_s=0.001)) as items:
        reading = asyncio.ensure_future(read_until(items, is_block(1)))
        await asyncio.wait([reading], timeout=0.05)
        released.set()
        found = await reading
    assert not [lull for lull in lulls(found) if lull.lost]


async def test_stop_and_start_on_the_same_connection_are_two_runs():
    other = golden.start(b"a\0b\0", interval_us=500.0)
    script = says_and_stays(
        HELLO, golden.data32(1, BLOCK), golden.STOP, other, golden.data16(1, [1, 2])
    )
    async with server(script) as port, opened(quick(port)) as items:
        found = await read_until(items, lambda item: len(runs([item])) and item.info.rate_hz > 1000)
    assert [lull for lull in lulls(found) if "STOP" in lull.reason]
    assert runs(found)[1].info.dtype == "int16"


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not an RDA server"),
        (golden.message(4, size=2**31), "a size of 2147483648 bytes"),
        (golden.start() + golden.message(4, struct.pack("<III", 1, 99, 0)), "too short"),
    ],
)
async def test_a_broken_protocol_drops_the_connection_with_its_reason(garbage, reason):
    scripts = says_and_stays(garbage), says_and_stays(HELLO, golden.data32(1, BLOCK))
    async with server(*scripts) as port, opened(quick(port)) as items:
        first = await read_until(items, is_lost)
        await read_until(items, is_block(1))
    assert reason in lulls(first)[-1].reason


async def test_blocks_before_the_broken_message_are_delivered():
    script = says(HELLO, golden.data32(1, BLOCK), golden.data32(2, BLOCK), b"x" * 24)
    async with server(script) as port, opened(quick(port)) as items:
        found = await read_until(items, is_lost)
    assert [block.counter for block in blocks(found)] == [1, 2]


async def test_a_flood_larger_than_all_buffers_arrives_complete():
    values = np.arange(2 * 20_000, dtype=np.float32)
    flood = [encode(Data(n, (values + n).reshape(-1, 2))) for n in range(100)]
    async with server(says_and_stays(HELLO, *flood)) as port, opened(quick(port)) as items:
        found = await read_until(items, is_block(99))
    assert [block.counter for block in blocks(found)] == list(range(100))
    assert all(
        np.array_equal(block.samples.ravel(), values + block.counter) for block in blocks(found)
    )


async def test_a_message_larger_than_the_buffer_is_received():
    values = [float(n % 1000) for n in range(400_000)]
    script = says_and_stays(HELLO, golden.data32(1, values), golden.data32(2, BLOCK))
    async with server(script) as port, opened(quick(port)) as items:
        found = await read_until(items, is_block(2))
    assert blocks(found)[0].samples.ravel().tolist() == values


async def test_arrival_times_are_on_the_monotonic_clock_and_never_fall():
    script = says_and_stays(HELLO, *[golden.data32(n, BLOCK) for n in range(50)])
    before = asyncio.get_running_loop().time()
    async with server(script) as port, opened(quick(port)) as items:
        found = await read_until(items, is_block(49))
    times = [block.arrival_s for block in blocks(found)]
    assert before <= times[0] <= times[-1] <= asyncio.get_running_loop().time()
    assert times == sorted(times)


async def test_a_host_that_can_never_be_one_is_an_error():
    async with opened(ClientSettings("x" * 70 + ".invalid", 1)) as items:
        with pytest.raises(DeviceError, match="cannot be the name of a host"):
            await read_until(items, is_lost)


async def test_data_before_start_are_told_and_dropped():
    script = says_and_stays(golden.data32(1, BLOCK), golden.start(), golden.data32(2, BLOCK))
    async with server(script) as port, opened(quick(port)) as items:
        found = await read_until(items, is_block(2))
    assert len(blocks(found)) == 1
    assert notices(found, "protocol")[0].facts == {"count": 1}
