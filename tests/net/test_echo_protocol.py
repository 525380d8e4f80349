"""`EchoProtocol` on real sockets."""

import asyncio
import socket

import pytest

from rigctl.errors import NoEcho, NoReply, RemoteError, TooLarge, Unreachable
from rigctl.messages import ERROR, Event, Message
from rigctl.net import EchoProtocol, Options
from rigctl.net.echo import Dialect

SCHEMES = ["udp", "tcp"]
REF = "2024-01-01_1_subject"


def answering(server: EchoProtocol) -> None:
    """Have a server answer every command with its own arguments."""
    tasks = set()

    def reply(data, addr, event):
        message = Message(event, tuple(data))
        task = asyncio.ensure_future(server.confirmed_send(message, addr=addr))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server.assign_callback("INIT", lambda d, a: reply(d, a, Event.EXPINIT))
    server.assign_callback(Event.EXPSTART | Event.EXPEND | Event.EXPSTATUS | Event.EXPINFO, reply)


@pytest.fixture(params=[(s, d) for s in SCHEMES for d in (Dialect.AUTO, Dialect.IBLUTIL)])
async def pair(request):
    scheme, dialect = request.param
    async with await EchoProtocol.server(f"{scheme}://127.0.0.1:0") as server:
        async with await EchoProtocol.client(
            server.server_uri, name="rig", options=Options(dialect)
        ) as client:
            yield client, server


async def test_a_verb_is_confirmed_and_delivered(pair):
    client, server = pair
    started = asyncio.ensure_future(server.on_event("START"))
    await asyncio.sleep(0)
    await client.start(REF, {"n": 1})
    data, addr = await started
    assert data == [REF, {"n": 1}]
    assert addr[0] == "127.0.0.1"
    assert not client.awaiting_response()


async def test_the_answer_comes_back_to_the_request_and_to_callbacks(pair):
    client, server = pair
    answering(server)
    seen = []
    client.assign_callback("EXPSTART", lambda data, addr: seen.append(data))
    reply = await client.request(Message(Event.EXPSTART, (REF, None)))
    assert reply.args == (REF, None)
    assert seen == [[REF, None]]


async def test_several_sends_to_one_peer_overlap(pair):
    client, server = pair
    answering(server)
    replies = await asyncio.gather(
        *(client.request(Message(Event.EXPSTATUS, (n,))) for n in (0, 10, 20))
    )
    assert sorted(r.args[0] for r in replies) == [0, 10, 20]


async def test_crossing_sends_are_both_confirmed(pair):
    client, server = pair
    arrived = asyncio.ensure_future(server.on_event("INFO"))
    await asyncio.sleep(0)
    await client.info("CONNECTED")
    _, addr = await arrived
    await asyncio.gather(client.init({"a": 1}), server.status("RUNNING", addr=addr))


async def test_a_failing_callback_raises_at_the_waiting_caller(pair):
    client, server = pair

    def fail(data, addr):
        raise ValueError("no amplifier")

    server.assign_callback("INIT", fail)
    with pytest.raises(RemoteError, match="ValueError: no amplifier") as caught:
        await client.request(Message(Event.EXPINIT, (None,)))
    assert (caught.value.name, caught.value.command) == ("rig", "EXPINIT")
    waiting = asyncio.ensure_future(client.on_event("INIT"))
    await asyncio.sleep(0)
    await client.init()
    with pytest.raises(RemoteError):
        await waiting


async def test_no_reply_is_said_as_such_and_the_communicator_stays_open(pair):
    client, server = pair
    with pytest.raises(NoReply, match="did not reply within 0.1 s"):
        await client.request(Message(Event.EXPINIT, (None,)), timeout_s=0.1)
    assert client.is_connected
    answering(server)
    await client.request(Message(Event.EXPSTATUS, (0,)))


async def test_a_combination_of_events_tells_which_one_came(pair):
    client, server = pair
    waiting = asyncio.ensure_future(server.on_event(Event.EXPEND | Event.EXPINTERRUPT))
    await asyncio.sleep(0)
    await client.stop(immediately=True)
    data, _, event = await waiting
    assert event is Event.EXPINTERRUPT
    assert data == [None]


async def test_an_alyx_token_is_asked_for_and_given(pair):
    client, server = pair

    def give(data, addr):
        message = Message(Event.ALYX, ("https://alyx.example", {"user": "token"}))
        give.task = asyncio.ensure_future(server.confirmed_send(message, addr=addr))

    server.assign_callback("ALYX", give)
    assert await client.alyx() == ["https://alyx.example", {"user": "token"}]
    await give.task


async def test_requests_are_iterated_and_answered():
    async with await EchoProtocol.server("udp://127.0.0.1:0") as server:
        async with await EchoProtocol.client(server.server_uri) as client:

            async def serve():
                async for request in server.requests():
                    server.answer(request, Message(request.message.event, ("done",)))

            task = asyncio.ensure_future(serve())
            reply = await client.request(Message(Event.EXPINIT, (None,)))
            assert reply.args == ("done",)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_two_clients_of_one_server_do_not_disturb_each_other(pair):
    client, server = pair
    answering(server)
    async with await EchoProtocol.client(server.server_uri) as other:
        for n in range(5):
            replies = await asyncio.gather(
                client.request(Message(Event.EXPSTART, (f"a{n}", None))),
                other.request(Message(Event.EXPSTART, (f"b{n}", None))),
            )
            assert [r.args[0] for r in replies] == [f"a{n}", f"b{n}"]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_rubbish_leaves_the_server_serving(scheme):
    async with await EchoProtocol.server(f"{scheme}://127.0.0.1:0") as server:
        answering(server)
        rubbish = [b"\xff" * 50, b"[" * 60_000, b"[1", b"{}", b"[]", b'["' + b"x" * 60_000, b"\0"]
        kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
        for data in rubbish:
            with socket.socket(socket.AF_INET, kind) as raw:
                raw.connect(("127.0.0.1", server.port))
                raw.sendall(data)
        async with await EchoProtocol.client(server.server_uri) as client:
            await client.request(Message(Event.EXPSTATUS, (0,)))


async def test_nobody_there_is_said_at_once_on_tcp_and_at_the_deadline_on_udp(unused_tcp_port):
    uri = f"127.0.0.1:{unused_tcp_port}"
    with pytest.raises(Unreachable, match="is its daemon running"):
        await EchoProtocol.client(f"tcp://{uri}")
    async with await EchoProtocol.client(f"udp://{uri}") as client:
        with pytest.raises(Unreachable, match="nothing listens"):
            await client.confirmed_send(Message(Event.EXPINIT, (None,)), timeout=0.3)


async def test_a_silent_peer_is_a_timeout_and_closes_nothing():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        async with await EchoProtocol.client(f"udp://127.0.0.1:{silent.getsockname()[1]}") as c:
            with pytest.raises(NoEcho, match="attempts"):
                await c.confirmed_send([1, None], timeout=0.3)
            with pytest.raises(TimeoutError):
                await c.confirmed_send("[1, null]", timeout=0.1)
            assert c.is_connected


async def test_a_stranger_cannot_speak_to_a_client(pair):
    client, server = pair
    if client.protocol != "udp":
        return
    await client.init()
    seen = []
    client.assign_callback("STATUS", lambda data, addr: seen.append(data))
    local = client._route._transport.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"[32,20]", ("127.0.0.1", local))
    await client.init()
    assert seen == []


async def test_what_does_not_fit_is_refused_at_the_sender():
    async with await EchoProtocol.server("udp://127.0.0.1:0") as server:
        async with await EchoProtocol.client(server.server_uri) as client:
            with pytest.raises(TooLarge, match="at the most"):
                await client.init("x" * 1_000_000)


async def test_what_needs_a_stream_where_there_is_none_says_so():
    async with await EchoProtocol.server("udp://127.0.0.1:0") as server:
        async with await EchoProtocol.client(server.server_uri) as client:
            with pytest.raises(TooLarge, match="goes by TCP"):
                await client.init("x" * 70_000)


async def test_without_a_stream_beside_it_a_large_message_takes_one_datagram():
    async with await EchoProtocol.server("udp://127.0.0.1:0") as server:
        answering(server)
        async with await EchoProtocol.client(server.server_uri) as client:
            reply = await client.request(Message(Event.EXPSTART, ("x" * 30_000, None)))
            assert len(reply.args[0]) == 30_000


async def test_a_large_message_crosses_on_tcp():
    async with await EchoProtocol.server("tcp://127.0.0.1:0") as server:
        answering(server)
        async with await EchoProtocol.client(server.server_uri) as client:
            reply = await client.request(Message(Event.EXPSTART, ("x" * 500_000, None)))
            assert len(reply.args[0]) == 500_000


async def test_a_broken_stream_is_opened_anew_and_the_answer_still_comes():
    async with await EchoProtocol.server("tcp://127.0.0.1:0") as server:
        runs = []

        async def serve():
            async for request in server.requests():
                runs.append(request)
                for stream in list(server._route._transport._streams.values()):
                    stream._transport.abort()
                while server._route._transport._streams.keys() & {request.addr}:
                    await asyncio.sleep(0)
                server.answer(request, Message(request.message.event, ("done",)))

        task = asyncio.ensure_future(serve())
        async with await EchoProtocol.client(server.server_uri) as client:
            reply = await client.request(Message(Event.EXPINIT, (None,)))
            assert reply.args == ("done",)
            assert len(runs) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_callbacks_are_cleared_and_futures_cancelled():
    async with await EchoProtocol.server("udp://127.0.0.1:0") as server:
        waiting = asyncio.get_running_loop().create_future()
        server.assign_callback("INIT", waiting)
        server.assign_callback("INIT", print)
        assert server.clear_callbacks("INIT", print) == 1
        assert server.clear_callbacks("EXPINIT") == 1
        assert waiting.cancelled()
        with pytest.raises(TypeError):
            server.assign_callback("INIT", "no callback")
        with pytest.raises(TypeError, match="which one"):
            await server.init()
        assert (server.role, server.protocol, server.hostname) == ("server", "udp", "127.0.0.1")
    assert server.on_connection_lost.done()
    assert not server.is_connected
    assert ERROR == 0
