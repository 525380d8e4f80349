"""Streams: who says nothing, and who says too much."""

import asyncio
import contextlib
import itertools
import socket

import pytest

from rigctl.address import Address
from rigctl.messages import Event, Message
from rigctl.net import EchoProtocol, tcp

STATUS = Message(Event.EXPSTATUS, (20,))


class Heard:
    """Whom a transport tells what happens."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.open: list[tuple[str, int]] = []

    def received(self, data, addr):
        self.messages.append(data)
        return True

    def connected(self, addr):
        self.open.append(addr)

    def disconnected(self, addr, error):
        self.open.remove(addr)

    def failed(self, error):
        raise error


@contextlib.asynccontextmanager
async def listening():
    heard = Heard()
    server = await tcp.TcpTransport.listen(Address("tcp", "127.0.0.1", 0), heard, 1_000_000)
    try:
        yield server, heard
    finally:
        server.close()
        while heard.open:
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def clients(server, number):
    """Connect clients that say nothing."""
    made = []
    try:
        for _ in range(number):
            made.append(await asyncio.open_connection("127.0.0.1", server.port))
        yield made
    finally:
        for _, writer in made:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for _, w in made), return_exceptions=True)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def closed(reader):
    async with asyncio.timeout(10):
        return await reader.read(1) == b""


async def test_where_all_places_are_taken_the_longest_silent_client_makes_room(monkeypatch):
    monkeypatch.setattr(tcp, "MAX_CLIENTS", 40)
    async with listening() as (server, heard), clients(server, 40) as silent:
        silent[0][1].write(b"[32,0]")
        await until(lambda: heard.messages)
        async with clients(server, 1) as (new,):
            assert await closed(silent[1][0]), "the first has spoken, the second has not"
            new[1].write(b"[32,20]")
            await until(lambda: len(heard.messages) == 2)
            assert len(heard.open) == 40


async def test_where_all_have_spoken_the_new_client_is_closed(monkeypatch):
    monkeypatch.setattr(tcp, "MAX_CLIENTS", 35)
    async with listening() as (server, heard), clients(server, 35) as spoken:
        for _, writer in spoken:
            writer.write(b"[32,0]")
        await until(lambda: len(heard.messages) == 35)
        async with clients(server, 1) as (new,):
            assert await closed(new[0])


async def test_a_crowd_of_clients_that_say_nothing_for_long_is_closed(monkeypatch):
    monkeypatch.setattr(tcp, "SILENCE_S", 0.0)
    async with listening() as (server, heard), clients(server, tcp.CROWD) as silent:
        async with clients(server, 1):
            for reader, _ in silent:
                assert await closed(reader)
            await until(lambda: len(heard.open) == 1)


async def test_a_few_clients_may_be_silent_for_ever(monkeypatch):
    monkeypatch.setattr(tcp, "SILENCE_S", 0.0)
    async with listening() as (server, heard), clients(server, 5) as few:
        few[0][1].write(b"[32,0]")
        await until(lambda: heard.messages)
        assert len(heard.open) == 5


async def test_silent_clients_lock_nobody_out():
    async with await EchoProtocol.server("tcp://127.0.0.1:0") as server:
        answered = asyncio.ensure_future(server.on_event("STATUS"))
        async with clients(server, tcp.MAX_CLIENTS):
            async with await EchoProtocol.client(server.server_uri) as client:
                await client.confirmed_send(STATUS, timeout=10)
        assert (await answered)[0] == [20]


async def test_a_peer_that_says_much_at_once_leaves_the_others_their_turn():
    async with listening() as (server, heard), clients(server, 1) as ((_, writer),):
        number, turns = 20_000, set()
        writer.write(b"[32,0]" * number)
        await writer.drain()
        async with asyncio.timeout(30):
            while len(heard.messages) < number:
                turns.add(len(heard.messages))
                await asyncio.sleep(0)
        steps = sorted(turns | {number})
        assert max(b - a for a, b in itertools.pairwise(steps)) <= 64


async def test_messages_before_rubbish_are_heard_and_the_stream_is_closed():
    async with listening() as (server, heard), clients(server, 1) as ((reader, writer),):
        writer.write(b"[32,0]" * 100 + b"hello")
        assert await closed(reader)
        assert heard.messages == [b"[32,0]"] * 100


async def test_a_peer_that_sends_and_leaves_is_heard_to_the_end():
    async with listening() as (server, heard):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(b"[32,0]" * 1000)
        await until(lambda: len(heard.messages) == 1000)


@pytest.mark.parametrize("enveloped", [True, False])
async def test_a_flood_from_a_peer_that_reads_and_echoes_nothing_delays_nobody(enveloped):
    extra = ',{"rigctl":{"kind":"command","epoch":"f","seq":%d}}' if enveloped else ""
    flood = b"".join(
        (f"[32,{n}" + (extra % n if extra else "") + "]").encode() for n in range(1, 20_001)
    )
    async with await EchoProtocol.server("tcp://127.0.0.1:0") as server:

        async def serve():
            async for request in server.requests():
                server.answer(request, request.message)

        serving = asyncio.ensure_future(serve())
        async with clients(server, 1) as ((reader, writer),):

            async def drain():
                while await reader.read(65536):
                    pass

            draining = asyncio.ensure_future(drain())
            writer.write(flood)
            async with await EchoProtocol.client(server.server_uri) as client:
                loop = asyncio.get_running_loop()
                began = loop.time()
                for _ in range(20):
                    await client.request(STATUS, timeout_s=5)
                assert loop.time() - began < 5
            draining.cancel()
            serving.cancel()
            await asyncio.gather(draining, serving, return_exceptions=True)
