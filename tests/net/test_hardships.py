"""What strangers, dead connections and closed ports do to a conversation: not much."""

import asyncio
import contextlib
import socket

import pytest

from rigctl.address import Address
from rigctl.controller.fanout import fan_out
from rigctl.errors import NoEcho, Unreachable
from rigctl.messages import Event, Message
from rigctl.net import Communicator, EchoProtocol, Options
from rigctl.net.chaos import ChaosProxy
from rigctl.net.codec import Wire, encode
from rigctl.net.context import Context, Identity
from rigctl.net.echo import Dialect, Echo
from rigctl.net.inputs import Command, Now
from rigctl.net.memory import Memory
from rigctl.net.outputs import Answered, Confirmed, Transmit
from rigctl.net.plain import PlainDialect
from rigctl.net.seal import Seal
from rigctl.net.station import Station
from rigctl.net.timing import RoundTrip, Timing
from rigctl.net.weather import Forecast, Weather

KEY = b"k" * 32
KEYS = pytest.mark.parametrize("key", [None, KEY])
STATUS = Message(Event.EXPSTATUS, (0,))
START = Message(Event.EXPSTART, ("2024-01-01_1_subject", None))


@contextlib.asynccontextmanager
async def serving(scheme, key=None, answer=None, memory=None):
    """A rig that answers everything."""
    station = Station.new(key=key, has_stream=True)
    if memory:
        station.context.memory = memory
    address = Address.parse(f"{scheme}://127.0.0.1:0", any_port=True)
    async with Communicator(address, "server", station=station) as server:
        await server.listen()

        async def serve():
            async for request in server.requests():
                message = request.message
                server.answer(request, Message(message.event, answer or message.args))

        task = asyncio.create_task(serve())
        try:
            yield server
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@KEYS
def test_two_servers_never_greet_each_other_to_and_fro(key):
    seal = Seal(key) if key else None
    now = Now(1.0, 1.7e9)
    ends = [Echo(Context(Identity(name), seal=seal), Dialect.AUTO) for name in ("a", "b")]
    desk = Echo(Context(Identity("desk"), seal=seal), Dialect.AUTO, asks=True)
    outputs = desk.send(now, Command(1, STATUS, 1.0))
    for hop in range(4):  # a's answer is sent to b, as a forged source address would have it
        outputs = [
            o
            for t in outputs
            if isinstance(t, Transmit)
            for o in ends[hop % 2].receive(now, t.data)
        ]
    assert not any(isinstance(output, Transmit) for output in outputs)


async def test_strangers_do_not_cost_a_controller_its_answer(monkeypatch):
    monkeypatch.setattr("rigctl.net.links._MAX_LINKS", 8)
    async with serving("udp", KEY) as server:
        client = await EchoProtocol.client(server.server_uri, options=Options(key=KEY))
        async with client:
            await client.request(STATUS)
            for _ in range(20):
                with socket.socket(type=socket.SOCK_DGRAM) as stranger:
                    stranger.sendto(b"[", (server.address.host, server.address.port))
            for _ in range(20):
                await client.request(STATUS)
            assert server.station.rejections.total == 20
            assert len(list(server._links)) == 1


@KEYS
async def test_without_a_stream_a_large_answer_comes_in_one_datagram_and_once(key):
    large = ("x" * 3000,)
    async with serving("udp", key, answer=large) as server:
        sent = []
        send = server._route._transport.send
        server._route._transport.send = lambda data, addr: sent.append(data) or send(data, addr)
        client = await EchoProtocol.client(server.server_uri, options=Options(key=key))
        async with client:
            for _ in range(3):
                assert (await client.request(STATUS)).args == large
        assert len(sent) < 20, "no storm of notices"


async def test_who_waits_for_a_peer_that_leaves_is_told():
    async with await EchoProtocol.server("tcp://127.0.0.1:0") as server:
        came = asyncio.get_running_loop().create_future()
        server.connected = came.set_result
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        waiting = asyncio.create_task(server.confirmed_send([1, None], addr=await came))
        await reader.read(10)
        writer.close()
        with pytest.raises(Unreachable, match="left before it answered"):
            await asyncio.wait_for(waiting, 10)


@KEYS
async def test_a_connection_that_died_without_a_word_is_opened_anew(key):
    async with serving("tcp", key) as server:
        dead, tasks, made = asyncio.Event(), [], []

        async def pump(reader, writer, number):
            while data := await reader.read(65536):
                if number or not dead.is_set():
                    writer.write(data)

        async def pass_on(reader, writer):
            far = await asyncio.open_connection("127.0.0.1", server.address.port)
            number = len(made)
            made.append((writer, far[1]))
            tasks.append(asyncio.create_task(pump(reader, far[1], number)))
            tasks.append(asyncio.create_task(pump(far[0], writer, number)))

        proxy = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        uri = f"tcp://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        options = Options(key=key, echo_timeout_s=0.3)
        async with await EchoProtocol.client(uri, options=options) as client:
            await client.request(STATUS)
            dead.set()
            with pytest.raises(NoEcho):
                await client.request(STATUS)
            assert await client.request(STATUS) == STATUS
        proxy.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writers in made:
            for writer in writers:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    assert len(made) >= 2


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
async def test_a_controller_that_was_long_idle_is_heard_again(scheme):
    async with serving(scheme, KEY, memory=Memory(epochs=4)) as server:
        async with await EchoProtocol.client(
            server.server_uri, options=Options(key=KEY, echo_timeout_s=5.0)
        ) as idle:
            await idle.request(STATUS)
            for _ in range(8):
                other = await EchoProtocol.client(server.server_uri, options=Options(key=KEY))
                async with other:
                    await other.request(STATUS)
            assert await idle.request(START) == START


async def test_a_rig_that_cannot_be_opened_delays_nobody():
    async with serving("udp") as server:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            knocking = []
            for _ in range(3):  # its queue is full: further connections get no answer
                knocking.append(socket.socket())
                knocking[-1].setblocking(False)
                knocking[-1].connect_ex(full.getsockname())
            good = EchoProtocol(Address.parse(server.server_uri), "client", name="good")
            host, port = full.getsockname()
            bad = EchoProtocol(Address("tcp", host, port), "client", name="bad")
            await good.open()
            answered = asyncio.Event()
            good.assign_callback("START", lambda data, addr: answered.set())
            telling = asyncio.create_task(fan_out([bad, good], START, 5.0))
            await answered.wait()
            assert not telling.done(), "the other one is still being opened"
            replies, errors = await telling
            assert (set(replies), set(errors)) == ({"good"}, {"bad"})
            for sock in (good, bad, *knocking):
                sock.close()


async def test_closing_while_somebody_opens_cancels_nobody():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        knocking = [socket.socket() for _ in range(3)]
        for sock in knocking:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        host, port = full.getsockname()
        client = EchoProtocol(Address("tcp", host, port), "client", name="rig")
        opening = asyncio.create_task(client.request(STATUS))
        while client._route._opening is None:
            await asyncio.sleep(0)
        client.close()
        with pytest.raises(Unreachable, match="closed meanwhile"):
            await opening
        for sock in knocking:
            sock.close()


def at(seconds):
    return Now(100.0 + seconds, 1.7e9 + seconds)


def test_an_answer_that_overtakes_its_echo_is_the_answer():
    dialect = PlainDialect(Timing(), spacing_s=0.0)
    dialect.send(at(0), Command(1, START, 1.0, 10.0))
    answer = Message(Event.EXPSTART, ("2024-01-01_1_subject", {"done": True}))
    dialect.receive(at(0.1), encode(answer), Wire(answer))
    outputs = dialect.receive(at(0.2), encode(START), Wire(START))
    assert Confirmed(1) in outputs
    assert Answered(1, answer) in outputs


def test_what_its_caller_gave_up_before_its_turn_is_never_sent():
    dialect = PlainDialect(Timing(), spacing_s=0.0)
    dialect.send(at(0), Command(1, STATUS, 1.0, 10.0))
    assert dialect.send(at(0), Command(2, START, 5.0, 10.0)) == []
    dialect.forget(2)
    outputs = dialect.poll(at(1.0)) + dialect.poll(at(6.0))
    assert Transmit(encode(START)) not in outputs
    assert not dialect.unconfirmed


def test_a_queue_is_no_excuse_for_lateness():
    dialect = PlainDialect(Timing(), spacing_s=0.0)
    for ticket in range(1, 5):
        dialect.send(at(0), Command(ticket, STATUS, 1.0, 10.0))
    told = [o.ticket for o in dialect.poll(at(1.0)) if hasattr(o, "ticket")]
    assert sorted(told) == [1, 2, 3, 4]


def test_after_repeats_the_next_message_is_waited_for_longer():
    trip = RoundTrip(Timing())
    first = trip.repeat_after_s(1)
    trip.missed(3)
    assert trip.repeat_after_s(1) > first
    trip.add(0.001)
    assert trip.repeat_after_s(1) < first


async def test_the_echo_of_a_repeat_tells_the_clock_too():
    async with serving("udp") as server:
        forecast = Forecast(Weather(delay_s=0.07), 1)
        async with ChaosProxy(server.address, forecast) as proxy:
            options = Options(dialect=Dialect.RIGCTL)
            async with await EchoProtocol.client(str(proxy.address), options=options) as client:
                await client.request(STATUS)
                offset = client.clock_offset
                assert offset and abs(offset.offset_s) <= offset.bound_s
