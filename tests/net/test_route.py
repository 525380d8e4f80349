"""Ways that break, and what is said of them."""

import asyncio

import pytest

from rigctl.errors import Unreachable
from rigctl.messages import Event, Message
from rigctl.net import EchoProtocol

INIT = Message(Event.EXPINIT, (None,))


@pytest.fixture
async def slamming():
    """A server that takes every connection and closes it at once."""
    taken = []

    def slam(reader, writer):
        taken.append(writer)
        writer.close()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], taken
    server.close()
    await server.wait_closed()


async def test_a_rig_that_closes_every_connection_is_not_stormed_and_named(slamming):
    port, taken = slamming
    async with await EchoProtocol.client(f"tcp://127.0.0.1:{port}", "rig") as client:
        with pytest.raises(Unreachable, match="EXPINIT was not confirmed.*closed the connection"):
            await client.confirmed_send(INIT, timeout=1.0)
    assert 3 <= len(taken) <= 10


async def test_the_pause_before_an_opening_anew_begins_again_once_something_was_received():
    async with await EchoProtocol.server("tcp://127.0.0.1:0") as server:
        async with await EchoProtocol.client(server.server_uri, "rig") as client:
            client._route._pause_s = 1.0
            await client.confirmed_send(INIT, timeout=5)
            assert (client._route._pause_s, client._route.trouble) == (0.0, "")


async def test_an_unknown_name_is_no_matter_of_the_daemon():
    for scheme in ("udp", "tcp"):
        with pytest.raises(Unreachable, match="cannot reach") as caught:
            await EchoProtocol.client(f"{scheme}://no-such-host.invalid:4000")
        assert "daemon" not in str(caught.value)


async def test_nobody_there_asks_for_the_daemon(unused_tcp_port):
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(Unreachable, match="is its daemon running"):
            await EchoProtocol.client(f"tcp://{host}:{unused_tcp_port}")
