"""What is too large for a datagram takes a stream on the same port, by itself, both ways."""

import contextlib
from dataclasses import replace

import pytest

from rigctl.address import Address
from rigctl.errors import TooLarge
from rigctl.messages import Event, Message
from rigctl.net import EchoProtocol, Options
from rigctl.net.communicator import Communicator
from rigctl.net.echo import Dialect
from rigctl.net.packets import MAX_DATAGRAM_BYTES
from rigctl.net.station import Station

LARGE = "x" * 300_000


@contextlib.asynccontextmanager
async def rig(answer, key=None):
    """Serve on UDP and TCP, on one port, as a daemon does; yield the datagrams and the address."""
    servers = await listening(Station.new(key=key, has_stream=True))
    runs, sizes = [], []
    for server in servers:
        serve(server, answer, runs)
    watch(servers[0], sizes)
    try:
        yield servers[0], runs, sizes
    finally:
        for server in servers:
            server.close()


async def listening(station):
    """Find a port that is free for both."""
    while True:
        udp = Communicator(Address("udp", "127.0.0.1", 0), "server", station=station)
        await udp.listen()
        tcp = Communicator(replace(udp.address, scheme="tcp"), "server", station=station)
        try:
            await tcp.listen()
        except OSError:
            udp.close()
        else:
            return udp, tcp


def serve(server, answer, runs):
    def carry_out(data, addr):
        runs.append(data)
        request = server._inbox._queue.get_nowait()
        server.answer(request, Message(request.message.event, (answer,)))

    server.callbacks.assign("START", carry_out)


def watch(server, sizes):
    sent = server._route._transport.send

    def send(data, addr):
        sizes.append(len(data))
        return sent(data, addr)

    server._route._transport.send = send


@pytest.mark.parametrize("key", [None, b"k" * 32])
@pytest.mark.parametrize("sent", ["small", LARGE])
@pytest.mark.parametrize("answer", ["small", LARGE])
async def test_commands_and_answers_of_any_size_cross_and_run_once(key, sent, answer):
    async with rig(answer, key) as (server, runs, sizes):
        options = Options(key=key)
        async with await EchoProtocol.client(server.server_uri, options=options) as client:
            reply = await client.request(Message(Event.EXPSTART, (sent, None)))
            assert reply.args == (answer,)
            again = await client.request(Message(Event.EXPSTART, ("more", None)))
            assert again.args == (answer,)
        assert [run[0] for run in runs] == [sent, "more"]
        assert sizes and max(sizes) <= MAX_DATAGRAM_BYTES


async def test_over_the_configured_maximum_is_a_clear_error_at_the_sender():
    async with rig("ok") as (server, runs, _):
        options = Options(dialect=Dialect.RIGCTL, max_bytes=10_000)
        async with await EchoProtocol.client(server.server_uri, options=options) as client:
            with pytest.raises(TooLarge, match="10000 at the most: send less"):
                await client.request(Message(Event.EXPSTART, ("x" * 20_000, None)))
        assert runs == []


async def test_an_unasked_message_of_a_server_must_fit_a_datagram():
    async with rig("ok") as (server, _, _):
        options = Options(dialect=Dialect.RIGCTL)
        async with await EchoProtocol.client(server.server_uri, options=options) as client:
            await client.request(Message(Event.EXPSTART, ("hello", None)))
            (link,) = server._links
            with pytest.raises(TooLarge, match="1200 at the most"):
                server.submit(Message(Event.EXPINFO, (0, "x" * 2000)), addr=link.addr)
