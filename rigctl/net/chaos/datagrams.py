"""Datagrams through a bad network: each has the fate that the forecast gives it.

From: the proxy's UDP socket, the rig.  To: the other of the two.

    client --> the proxy's socket --> a socket of that client's own --> rig
           <--                    <--                               <--

Each client has a socket of its own towards the rig, so that the rig tells them apart and its
replies find their way back.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any, cast

from rigctl.net.chaos.crossing import Crossing, now_s
from rigctl.net.weather import Direction

log = logging.getLogger(__name__)

MAX_CLIENTS = 256
"""How many clients have their sockets; for a further one that of the longest idle is closed."""

IDLE_S = 120.0
"""After what time without a word, in either direction, a client's socket is closed."""

MAX_UNDER_WAY = 4096
"""How many datagrams wait to arrive; what comes then is lost, as in any router."""

_SLICE = 64
"""How many datagrams of one client's rig are taken before all others have their turn."""

_MAX_BYTES = 65_536


class DatagramRelay(asyncio.DatagramProtocol):
    """The datagrams between a rig and all clients of its proxy."""

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._transport: asyncio.DatagramTransport | None = None
        self._clients: dict[Any, _Client] = {}
        self._under_way: set[asyncio.TimerHandle] = set()
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def clients(self) -> int:
        """How many clients have a socket at present."""
        return len(self._clients)

    def close(self) -> None:
        """Close all sockets; what is under way is lost."""
        for handle in [*self._under_way, *([self._sweep] if self._sweep else [])]:
            handle.cancel()
        for addr in list(self._clients):
            self._drop(addr)
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has opened the proxy's socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """A client has sent something."""
        try:
            client = self._client(addr)
        except OSError as error:  # no more sockets, no way
            self._crossing.failed(error)
            self._crossing.counts[Direction.TO_RIG].lost += 1
            return
        self._pass_on(Direction.TO_RIG, data, client.send)

    def error_received(self, exc: Exception) -> None:
        """A client is gone; whatever it was still to get is lost."""
        log.debug("a datagram came back: %s", exc)

    def _client(self, addr: Any) -> "_Client":
        """Return a client, with a new socket if it is new; the latest heard of stands last."""
        client = self._clients.pop(addr, None)
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                self._drop(next(iter(self._clients)))
            client = _Client(self._crossing, lambda data: self._answered(addr, data))
        self._clients[addr] = client
        client.used_at = now_s()
        if self._sweep is None:
            self._sweep_later(IDLE_S)
        return client

    def _drop(self, addr: Any) -> None:
        self._clients.pop(addr).close()

    def _answered(self, addr: Any, data: bytes) -> None:
        """The rig has sent something to a client."""
        self._clients[addr].used_at = now_s()

        def deliver(arriving: bytes) -> None:
            assert self._transport
            self._transport.sendto(arriving, addr)

        self._pass_on(Direction.FROM_RIG, data, deliver)

    def _pass_on(self, way: Direction, data: bytes, deliver: Callable[[bytes], None]) -> None:
        """Let a datagram meet its fate, and count what became of it."""
        fate, counts = self._crossing.forecast.packet(now_s(), way), self._crossing.counts[way]
        if not fate.delays_s or len(self._under_way) + len(fate.delays_s) > MAX_UNDER_WAY:
            counts.parted += fate.parted
            counts.lost += not fate.parted
            return
        counts.passed += 1
        counts.duplicated += len(fate.delays_s) - 1
        counts.held += fate.held
        counts.damaged += fate.damage is not None
        for delay_s in fate.delays_s:
            self._deliver_later(delay_s, deliver, fate.arriving(data))

    def _deliver_later(self, delay_s: float, deliver: Callable[[bytes], None], data: bytes) -> None:
        if not delay_s:
            deliver(data)
            return

        def arrive() -> None:
            self._under_way.discard(handle)
            deliver(data)

        handle = asyncio.get_running_loop().call_later(delay_s, arrive)
        self._under_way.add(handle)

    def _sweep_later(self, after_s: float) -> None:
        self._sweep = asyncio.get_running_loop().call_later(after_s, self._drop_idle)

    def _drop_idle(self) -> None:
        """Close the sockets of those long idle, and look again when the next one may be."""
        self._sweep = None
        for addr, client in list(self._clients.items()):
            if now_s() - client.used_at >= IDLE_S:
                self._drop(addr)
        if self._clients:
            oldest_s = min(client.used_at for client in self._clients.values())
            self._sweep_later(max(oldest_s + IDLE_S - now_s(), 0))


class _Client:
    """A client's own socket towards the rig."""

    def __init__(self, crossing: Crossing, received: Callable[[bytes], None]) -> None:
        self._crossing = crossing
        self._received = received
        self.used_at = 0.0
        self._socket = socket.socket(crossing.family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect(crossing.sockaddr)
        except OSError:
            self._socket.close()
            raise
        # Not an endpoint of the loop's: that takes a while to open, and the datagram is here.
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def send(self, data: bytes) -> None:
        """Send a datagram to the rig; of a client that was dropped meanwhile it is lost."""
        if self._socket.fileno() < 0:
            return
        for _ in range(2):  # what the system says first may be about the datagram before
            try:
                self._socket.send(data)
                return
            except OSError as error:
                self._failed(error)

    def close(self) -> None:
        """Close the socket."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(_SLICE):
                try:
                    data = self._socket.recv(_MAX_BYTES)
                except ConnectionError as error:
                    self._failed(error)
                    continue
                self._crossing.heard()
                self._received(data)

    def _failed(self, error: OSError) -> None:
        if not isinstance(error, BlockingIOError):
            self._crossing.failed(error)
