"""The staging buffer: what it lends stays whole, and it never runs out of room."""

import asyncio
import socket
import time

import pytest

from rigctl.errors import ProtocolError
from rigctl.rda.connection import RdaConnection
from rigctl.rda.messages import Data, KeepAlive, Start
from rigctl.rda.protocol import Parser

from . import golden


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.aborted = False
        self._socket = socket.socket()

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._socket

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.aborted = True
        self._socket.close()


@pytest.fixture
def transport():
    fake = FakeTransport()
    yield fake
    fake.abort()


def connected(transport: FakeTransport, staging_bytes: int = 256) -> RdaConnection:
    connection = RdaConnection(Parser(10_000), staging_bytes)
    connection.connection_made(transport)
    return connection


def receive(connection: RdaConnection, transport: FakeTransport, raw: bytes) -> bytes:
    """Receive as the loop does; returns what the connection does not take at present."""
    while raw and not transport.paused and not transport.aborted:
        room = connection.get_buffer(-1)
        assert len(room)
        size = min(len(room), len(raw))
        room[:size] = raw[:size]
        connection.buffer_updated(size)
        raw = raw[size:]
    return raw


async def test_reading_pauses_when_the_buffer_is_full_and_goes_on_when_it_was_given_back(transport):
    connection = connected(transport)
    rest = receive(connection, transport, golden.KEEP_ALIVE * 20)
    assert transport.paused
    assert len(rest) == 20 * 24 - 256
    assert len(await connection.read(None)) == 10
    assert transport.paused  # they are still in use
    reading = asyncio.ensure_future(connection.read(1.0))
    await asyncio.sleep(0)
    assert not transport.paused
    assert receive(connection, transport, rest) == b""
    assert [message for message, _ in await reading] == [KeepAlive()] * 10


async def test_what_was_lent_stays_whole_while_more_arrives(transport):
    connection = connected(transport)
    receive(connection, transport, golden.start() + golden.data16(1, [7, 8]))
    (start, _), (data, _) = await connection.read(None)
    assert isinstance(start, Start)
    receive(connection, transport, golden.data16(2, [1, 2]) * 5)
    assert isinstance(data, Data)
    assert data.samples.tolist() == [[7, 8]]


async def test_the_buffer_grows_for_a_larger_message_and_keeps_its_beginning(transport):
    connection = connected(transport)
    values = list(range(2000))
    raw = golden.start() + golden.data16(1, values) + golden.KEEP_ALIVE
    rest = receive(connection, transport, raw)
    assert len(await connection.read(None)) == 1
    reading = asyncio.ensure_future(connection.read(1.0))
    await asyncio.sleep(0)
    assert receive(connection, transport, rest) == b""
    batch = await reading
    assert isinstance(batch[0][0], Data)
    assert batch[0][0].samples.ravel().tolist() == values
    assert len(batch) == 2


async def test_messages_before_the_end_come_before_its_reason(transport):
    connection = connected(transport)
    receive(connection, transport, golden.KEEP_ALIVE + b"x" * 24)
    assert transport.aborted
    assert len(await connection.read(None)) == 1
    with pytest.raises(ProtocolError):
        await connection.read(None)


@pytest.mark.parametrize(
    ("error", "reason"), [(None, "closed the connection"), (OSError("cable"), "broke: cable")]
)
async def test_the_end_of_the_connection_wakes_the_reader(transport, error, reason):
    connection = connected(transport)
    reading = asyncio.ensure_future(connection.read(None))
    await asyncio.sleep(0)
    connection.connection_lost(error)
    with pytest.raises(ConnectionError, match=reason):
        await reading


async def test_silence_is_a_timeout(transport):
    connection = connected(transport)
    receive(connection, transport, golden.KEEP_ALIVE[:20])
    with pytest.raises(TimeoutError, match="no message for 0.01 s"):
        await connection.read(0.01)


async def test_what_arrived_while_nobody_could_look_is_no_silence(transport):
    connection = connected(transport)
    reading = asyncio.ensure_future(connection.read(0.01))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    loop.call_soon(receive, connection, transport, golden.KEEP_ALIVE)
    time.sleep(0.05)  # noqa: ASYNC251  the loop is held up, over its deadline
    assert [message for message, _ in await reading] == [KeepAlive()]


async def test_the_system_probes_a_silent_peer(transport):
    connected(transport)
    sock = transport.get_extra_info("socket")
    assert isinstance(sock, socket.socket)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
