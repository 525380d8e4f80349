"""The proxy as a whole: one port, and whole sessions through it, each effect once."""

import asyncio
import contextlib
from collections import Counter

import pytest

from rigctl.address import Address
from rigctl.messages import Event, Message
from rigctl.net import Communicator, EchoProtocol, Options
from rigctl.net.chaos import ChaosProxy
from rigctl.net.echo import Dialect
from rigctl.net.station import Station
from rigctl.net.weather import Direction, Weather, Window

from .rigs import DEADLINE_S, begun, broken, client_of, connected, until

NOWHERE = Address("udp", "127.0.0.1", 9)
BAD = Weather(loss=0.05, duplication=0.05, reordering=0.05)
SESSION = (Event.EXPINIT, Event.EXPSTART, Event.EXPEND, Event.EXPCLEANUP)
OPTIONS = Options(Dialect.RIGCTL, echo_timeout_s=10.0, reply_timeout_s=10.0)


async def test_datagrams_and_streams_come_in_by_one_port():
    async with ChaosProxy(NOWHERE, begun(Weather())) as proxy, client_of(proxy) as client:
        client.transport.sendto(b"hello")
        await until(lambda: proxy.counts[Direction.TO_RIG].passed)
        async with connected(proxy) as (reader, _):
            assert await broken(reader), "nothing listens at the rig's port"


async def test_the_rigs_scheme_is_kept():
    async with ChaosProxy(Address("tcp", "127.0.0.1", 9), begun(Weather())) as proxy:
        assert str(proxy.address) == f"tcp://127.0.0.1:{proxy.address.port}"


async def test_a_port_that_is_taken_is_an_error_of_the_system():
    async with ChaosProxy(NOWHERE, begun(Weather())) as proxy:
        with pytest.raises(OSError, match="in use"):
            async with ChaosProxy(NOWHERE, begun(Weather()), port=proxy.address.port):
                pass


async def test_a_port_that_only_streams_have_taken_is_given_back_on_udp():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(2):
        with pytest.raises(OSError, match="in use"):
            async with ChaosProxy(NOWHERE, begun(Weather()), port=port):
                pass
    server.close()
    async with ChaosProxy(NOWHERE, begun(Weather()), port=port) as proxy:
        assert proxy.address.port == port


async def test_a_host_that_is_not_known_is_an_error_of_the_system():
    with pytest.raises(OSError):
        async with ChaosProxy(Address("udp", "rig.invalid", 11001), begun(Weather())):
            pass


@contextlib.asynccontextmanager
async def rig_behind(weather, scheme, seed):
    """A rig that does what it is told, noting it, on UDP and TCP, behind a proxy."""
    done: Counter[str] = Counter()
    station = Station.new()
    server = Communicator(Address(scheme, "127.0.0.1", 0), "server", station=station)

    async def serve():
        async for request in server.requests():
            done[f"{request.message.event.label} {request.message.args[0]}"] += 1
            server.answer(request, request.message)

    async with server:
        await server.listen()
        task = asyncio.create_task(serve())
        async with ChaosProxy(server.address, begun(weather, seed)) as proxy:
            yield proxy, done
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def sessions(proxy, number):
    uri = str(proxy.address)
    async with await EchoProtocol.client(uri, options=OPTIONS) as client:
        for session in range(number):
            for event in SESSION:
                reply = await client.request(Message(event, (session,)))
                assert reply.args == (session,)


async def through(weather, scheme, rigs, number):
    """Go through many sessions on several rigs at once; return what became of all that passed."""
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(6 * DEADLINE_S):
        behind = [
            await stack.enter_async_context(rig_behind(weather, scheme, seed))
            for seed in range(rigs)
        ]
        await asyncio.gather(*(sessions(proxy, number) for proxy, _ in behind))
        for _, done in behind:
            assert len(done) == 4 * number
            assert set(done.values()) == {1}
        return [counts for proxy, _ in behind for counts in proxy.counts.values()]


async def test_every_command_of_many_sessions_takes_effect_once_through_a_bad_network():
    counts = await through(BAD, "udp", rigs=4, number=20)
    assert sum(one.lost for one in counts) > 20
    assert sum(one.duplicated for one in counts) > 20
    assert sum(one.held for one in counts) > 20


async def test_sessions_outlive_a_partition():
    weather = Weather(partitions=(Window(0.2, 0.5),), delay_s=0.002)
    counts = await through(weather, "udp", rigs=1, number=40)
    assert sum(one.parted for one in counts) > 0


async def test_sessions_outlive_connections_that_are_cut():
    counts = await through(Weather(cut=0.05), "tcp", rigs=2, number=10)
    assert sum(one.cut for one in counts) > 0
