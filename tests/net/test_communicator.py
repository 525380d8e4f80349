"""Servers that iterate, servers that call back, and peers that confirm nothing."""

import asyncio
import contextlib
import json

import pytest

from rigctl.address import Address
from rigctl.errors import RemoteError
from rigctl.messages import Event, Message
from rigctl.net import Communicator, EchoProtocol, Options
from rigctl.net.echo import Dialect
from rigctl.net.timing import Timing

INIT = Message(Event.EXPINIT, (None,))


@contextlib.asynccontextmanager
async def server_and_client(timing=None, dialect=Dialect.AUTO, scheme="udp"):
    address = Address(scheme, "127.0.0.1", 0)
    options = Options(timing=timing or Timing())
    async with Communicator(address, "server", options=options) as server:
        await server.listen()
        async with await EchoProtocol.client(
            server.server_uri, "rig", options=Options(dialect)
        ) as client:
            yield server, client


@contextlib.asynccontextmanager
async def serving(server):
    async def serve():
        async for request in server.requests():
            server.answer(request, Message(request.message.event, ("done",)))

    task = asyncio.ensure_future(serve())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("dialect", [Dialect.AUTO, Dialect.IBLUTIL])
async def test_what_is_confirmed_before_anybody_iterates_is_answered(dialect):
    async with server_and_client(dialect=dialect) as (server, client):
        ticket = client.submit(INIT, reply_timeout_s=5)
        await ticket.confirmed
        async with serving(server):
            assert (await ticket.reply()).args == ("done",)


@pytest.mark.parametrize("dialect", [Dialect.AUTO, Dialect.IBLUTIL])
async def test_what_nobody_took_when_the_iteration_ends_is_refused(dialect):
    async with server_and_client(dialect=dialect) as (server, client), asyncio.timeout(10):
        requests = server.requests()
        taken = client.submit(INIT, reply_timeout_s=5)
        left = client.submit(Message(Event.EXPSTATUS, (0,)), reply_timeout_s=5)
        request = await anext(requests)
        await left.confirmed
        await requests.aclose()
        with pytest.raises(RemoteError, match="it is being stopped"):
            await left.reply()
        server.answer(request, INIT)
        assert await taken.reply() == INIT
        with pytest.raises(RemoteError, match="it is being stopped"):
            await client.request(INIT)


async def test_a_server_that_calls_back_keeps_nothing_and_refuses_nothing():
    async with await EchoProtocol.server("udp://127.0.0.1:0") as server:
        seen = []
        server.assign_callback("STATUS", lambda data, addr: seen.append(data))
        async with await EchoProtocol.client(server.server_uri) as client:
            for n in range(0, 1100, 50):
                burst = (client.confirmed_send([32, n + k]) for k in range(50))
                await asyncio.gather(*burst)
            with pytest.raises(TimeoutError):
                await client.request(INIT, timeout_s=0.05)
        assert len(seen) == 1100


async def test_more_than_the_inbox_holds_is_refused(monkeypatch):
    monkeypatch.setattr("rigctl.net.request._MAX_REQUESTS", 2)
    async with server_and_client() as (_, client):
        tickets = [client.submit(INIT, reply_timeout_s=5) for _ in range(3)]
        with pytest.raises(RemoteError, match="2 messages wait here already"):
            await tickets[2].reply()


class Deaf(asyncio.DatagramProtocol):
    """A peer of the predecessor that sends commands and echoes nothing."""

    def __init__(self):
        self.got = asyncio.Queue()

    def datagram_received(self, data, addr):
        self.got.put_nowait(json.loads(data))


async def test_a_peer_that_echoes_nothing_gets_its_next_answer_soon():
    async with server_and_client(Timing(plain_answer_s=0.05)) as (server, _):
        loop = asyncio.get_running_loop()
        transport, deaf = await loop.create_datagram_endpoint(
            Deaf, remote_addr=("127.0.0.1", server.address.port)
        )
        async with serving(server), asyncio.timeout(5):
            for event in (1, 2, 4):
                transport.sendto(json.dumps([event, None]).encode())
            got = [await deaf.got.get() for _ in range(6)]
        assert [m for m in got if m[1:] == ["done"]] == [[1, "done"], [2, "done"], [4, "done"]]
        transport.close()


async def test_what_cannot_be_said_is_a_type_error_at_the_server():
    async with server_and_client() as (server, client):
        client.submit(INIT, reply_timeout_s=5)
        async with asyncio.timeout(5):
            requests = server.requests()
            request = await anext(requests)
        with pytest.raises(TypeError):
            server.answer(request, Message(Event.EXPINIT, ("\ud800",)))
        await requests.aclose()


def test_answers_without_id_wait_no_longer_than_an_echo():
    assert Timing().plain_answer_s == 1.0
