"""What listens behind a proxy: programs that note what comes and send it back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from rigctl.address import Address
from rigctl.net.chaos import ChaosProxy
from rigctl.net.weather import Forecast, Weather

DEADLINE_S = 20
TURN_S = 0.001


class Datagrams(asyncio.DatagramProtocol):
    """One UDP socket: a rig that answers, or a client."""

    def __init__(self, answers: bool) -> None:
        self.answers = answers
        self.heard: list[bytes] = []
        self.froms: set[tuple[str, int]] = set()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.heard.append(data)
        self.froms.add(addr)
        if self.answers:
            self.transport.sendto(data, addr)

    @property
    def port(self) -> int:
        return self.transport.get_extra_info("sockname")[1]


@contextlib.asynccontextmanager
async def udp(answers=False, **where) -> AsyncIterator[Datagrams]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Datagrams(answers), **where)
    try:
        yield protocol
    finally:
        transport.close()


@contextlib.asynccontextmanager
async def udp_rig(weather: Weather, seed: int = 1) -> AsyncIterator[tuple[ChaosProxy, Datagrams]]:
    """A rig that answers every datagram with itself, behind a proxy."""
    async with udp(answers=True, local_addr=("127.0.0.1", 0)) as rig:
        async with ChaosProxy(Address("udp", "127.0.0.1", rig.port), begun(weather, seed)) as proxy:
            yield proxy, rig


def client_of(proxy: ChaosProxy):
    return udp(remote_addr=(proxy.address.host, proxy.address.port))


@contextlib.asynccontextmanager
async def connected(proxy):
    reader, writer = await asyncio.open_connection(proxy.address.host, proxy.address.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def broken(reader):
    """Whether the connection ends, in whatever way, with nothing more to read."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


def begun(weather: Weather, seed: int = 1) -> Forecast:
    """A forecast that begins now."""
    return Forecast(weather, seed, asyncio.get_running_loop().time())


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something that must come has come."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(TURN_S)
