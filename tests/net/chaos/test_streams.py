"""Streams through the proxy: late, stalled or cut, but never with a byte missing."""

import asyncio
import contextlib
import random

from rigctl.address import Address
from rigctl.net.chaos import ChaosProxy, streams
from rigctl.net.weather import Direction, Weather, Window

from .rigs import DEADLINE_S, begun, broken, connected, until

TO_RIG, FROM_RIG = Direction.TO_RIG, Direction.FROM_RIG


class Rig:
    """Sends back what comes until the other side has said all."""

    def __init__(self) -> None:
        self.connections = 0
        self.ended = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while data := await reader.read(10_000):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.ended += 1
            writer.close()


@contextlib.asynccontextmanager
async def tcp_rig(weather, seed=1):
    rig = Rig()
    server = await asyncio.start_server(rig.serve, "127.0.0.1", 0)
    address = Address("tcp", *server.sockets[0].getsockname()[:2])
    try:
        async with asyncio.timeout(DEADLINE_S):
            async with ChaosProxy(address, begun(weather, seed)) as proxy:
                yield proxy, rig
    finally:
        server.close()
        await until(lambda: rig.ended == rig.connections)


async def test_every_byte_passes_in_order_and_the_end_does_too():
    sent = random.Random(1).randbytes(1_000_000)
    async with tcp_rig(Weather(loss=1.0, delay_s=0.001, jitter_s=0.02)) as (proxy, rig):
        async with connected(proxy) as (reader, writer):
            writer.write(sent)
            writer.write_eof()
            assert await reader.read() == sent
        await until(lambda: not proxy.clients)
        assert rig.ended == 1
        assert (proxy.counts[TO_RIG].cut, proxy.counts[FROM_RIG].cut) == (0, 0)


async def test_a_delay_is_kept_in_both_directions_and_slows_nothing_down():
    loop = asyncio.get_running_loop()
    async with tcp_rig(Weather(delay_s=0.05)) as (proxy, _), connected(proxy) as (reader, writer):
        began_s = loop.time()
        for _ in range(20):
            writer.write(b"x" * 100)
            await asyncio.sleep(0.001)
        assert await reader.readexactly(2000)
        assert 0.099 <= loop.time() - began_s < 1.0


async def test_a_partition_stalls_what_is_sent_in_it():
    loop = asyncio.get_running_loop()
    async with tcp_rig(Weather()) as (proxy, rig):
        async with connected(proxy) as (reader, writer):
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            forecast = proxy._forecast
            forecast.began_s, forecast.weather = loop.time(), Weather(partitions=(Window(0, 0.2),))
            writer.write(b"within")
            assert await reader.readexactly(6) == b"within"
            assert loop.time() - forecast.began_s >= 0.199
            assert (proxy.counts[TO_RIG].held, proxy.counts[FROM_RIG].held) == (1, 0)


async def test_no_connection_gets_to_the_rig_in_a_partition():
    async with tcp_rig(Weather(partitions=(Window(0.0, 0.2),))) as (proxy, rig):
        async with connected(proxy) as (reader, writer):
            writer.write(b"hello")
            await until(lambda: proxy.clients)
            assert not rig.connections
            assert await reader.readexactly(5) == b"hello"


async def test_a_long_partition_cuts_what_is_to_be_carried():
    weather = Weather(partitions=(Window(0.0, 1000.0),), cut_after_s=0.02)
    async with tcp_rig(Weather()) as (proxy, _), connected(proxy) as (reader, writer):
        writer.write(b"1")
        assert await reader.readexactly(1)
        proxy._forecast.weather = weather
        writer.write(b"2")
        assert await broken(reader)
        assert proxy.counts[TO_RIG].cut == 1
        async with connected(proxy) as (another, _):
            assert await broken(another)


async def test_a_cut_breaks_both_sides_and_is_counted():
    async with tcp_rig(Weather(cut=1.0)) as (proxy, rig), connected(proxy) as (reader, writer):
        writer.write(b"never arrives")
        assert await broken(reader)
        await until(lambda: rig.ended == 1)
        assert (proxy.counts[TO_RIG].cut, proxy.counts[TO_RIG].passed) == (1, 0)


async def test_what_came_before_a_cut_arrives():
    async with tcp_rig(Weather(delay_s=0.01)) as (proxy, _), connected(proxy) as (reader, writer):
        writer.write(b"first")
        assert await reader.readexactly(5) == b"first"
        proxy._forecast.weather = Weather(cut=1.0)
        writer.write(b"second")
        assert await broken(reader)
        assert proxy.counts[FROM_RIG].passed == 1


async def test_a_rig_that_is_not_there_closes_the_connection_and_is_told_once(caplog):
    with contextlib.closing(await asyncio.start_server(Rig().serve, "127.0.0.1", 0)) as server:
        port = server.sockets[0].getsockname()[1]
    async with ChaosProxy(Address("tcp", "127.0.0.1", port), begun(Weather())) as proxy:
        for _ in range(3):
            async with connected(proxy) as (reader, _):
                assert await broken(reader)
    assert caplog.messages == [f"nothing gets to tcp://127.0.0.1:{port}: Connection refused"]


async def test_clients_beyond_the_bound_are_closed_at_once(monkeypatch):
    monkeypatch.setattr(streams, "MAX_CLIENTS", 1)
    async with tcp_rig(Weather()) as (proxy, rig), connected(proxy) as (first, writer):
        await until(lambda: rig.connections)
        async with connected(proxy) as (second, _):
            assert await broken(second)
        writer.write(b"still here")
        assert await first.readexactly(10)


async def test_the_end_of_the_proxy_ends_what_goes_through_it():
    async with tcp_rig(Weather(delay_s=100.0)) as (proxy, rig):
        async with connected(proxy) as (_, writer):
            writer.write(b"under way")
            await until(lambda: rig.connections)
            await proxy._streams.close()
            assert not proxy.clients
