"""Messages on TCP: self-delimiting JSON arrays, one after the other, any number of clients.

From: sockets.  To: `net.communicator`, through `net.transport`.
"""

import asyncio
import logging
import socket
import ssl
from typing import Any, cast

from rigctl.address import Address
from rigctl.errors import ProtocolError
from rigctl.net.codec import ArrayReader
from rigctl.net.doorway import Doorway
from rigctl.net.transport import Listener, PeerAddress, peer_address, set_read_size

log = logging.getLogger(__name__)

MAX_CLIENTS = 256
"""How many clients a server keeps; the longest silent of those that never said anything makes
room for a further one, which else is closed at once."""

CROWD = 32
"""From how many clients on a server asks whether they have anything to say."""

SILENCE_S = 10.0
"""How long a client of a crowd may say nothing after it has connected.  Not of a few: controllers
of the predecessor connect long before their first command, and do not connect anew."""

_ALIVE = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 15_000,
}
"""When a silent connection is asked for a sign of life, and given up (s, s, times, ms)."""

_SLICE = 64
"""How many messages of one peer are taken before all others have their turn."""

_MAX_UNSENT_BYTES = 8_000_000
"""What a peer that does not read may leave unsent before its connection is cut."""


class TcpTransport:
    """The streams of one communicator: a listening socket and its clients, or one connection."""

    def __init__(self, listener: Listener, max_bytes: int) -> None:
        self._listener = listener
        self._max_bytes = max_bytes
        self._streams: dict[PeerAddress, _Stream] = {}
        self._server: asyncio.Server | None = None
        self._serves = False
        self._doorway: Doorway | None = None

    @classmethod
    async def listen(
        cls,
        address: Address,
        listener: Listener,
        max_bytes: int,
        *,
        tls: ssl.SSLContext | None = None,
        **options: Any,
    ) -> "TcpTransport":
        """Listen, with `tls` to nobody without; port 0 takes a free one.

        Raises:
            OSError: the address cannot be bound.
        """
        self = cls(listener, max_bytes)
        self._serves = True
        self._doorway = Doorway(tls, self._stream) if tls else None
        made = self._doorway.connection if self._doorway else self._stream
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(made, address.host, address.port, **options)
        return self

    async def connect(self, address: Address, **options: Any) -> PeerAddress:
        """Connect to a peer and return the address under which it is known from now on.

        Raises:
            OSError: there is no such host, or nothing listens there.
        """
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_connection(
            self._stream, address.host, address.port, **options
        )
        return stream.addr

    @property
    def port(self) -> int:
        """The local port of the listening socket, or of the first connection."""
        if self._server and self._server.sockets:
            return int(self._server.sockets[0].getsockname()[1])
        return next((stream.local_port for stream in self._streams.values()), 0)

    @property
    def is_open(self) -> bool:
        """Whether it listens or is connected."""
        return bool(self._server and self._server.is_serving()) or bool(self._streams)

    def send(self, data: bytes, addr: PeerAddress) -> bool:
        """Write one message to a peer; False if it is not connected."""
        stream = self._streams.get(addr)
        if stream is None:
            return False
        stream.write(data)
        return True

    def close(self) -> None:
        """Close all streams and stop listening."""
        if self._server:
            self._server.close()
        if self._doorway:
            self._doorway.close()
        for stream in list(self._streams.values()):
            stream.close()

    def abort(self) -> None:
        """Cut all streams at once, whatever they still hold."""
        for stream in list(self._streams.values()):
            stream.abort()

    def opened(self, stream: "_Stream") -> None:
        """A stream is open."""
        if self._serves and not self._make_room(stream.opened_at):
            log.warning("closed a client: there are %d already", MAX_CLIENTS)
            stream.close()
            return
        self._streams[stream.addr] = stream
        self._listener.connected(stream.addr)

    def closed(self, stream: "_Stream", error: Exception | None) -> None:
        """A stream is closed."""
        if self._streams.get(stream.addr) is stream:
            del self._streams[stream.addr]
            self._listener.disconnected(stream.addr, error)

    def _stream(self) -> "_Stream":
        return _Stream(self)

    def _make_room(self, now: float) -> bool:
        """Close clients of a crowd that say nothing; return whether there is room for another."""
        if len(self._streams) < CROWD:
            return True
        silent = [stream for stream in self._streams.values() if not stream.heard]
        long = [stream for stream in silent if now - stream.opened_at > SILENCE_S]
        full = len(self._streams) - len(long) >= MAX_CLIENTS
        for stream in long or silent[:full]:
            log.info("closed %s port %d: it has said nothing", *stream.addr)
            self.closed(stream, None)
            stream.close()
        return len(self._streams) < MAX_CLIENTS

    def reader(self) -> ArrayReader:
        """Return a new reader for one stream."""
        return ArrayReader(self._max_bytes)

    def received(self, data: bytes, stream: "_Stream") -> bool:
        """One message came on a stream; return whether its sender may speak."""
        return self._streams.get(stream.addr) is stream and self._listener.received(
            data, stream.addr
        )


def _tune(sock: socket.socket) -> None:
    # Commands are small and wait for their echo: Nagle's algorithm would delay each of them.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A peer that vanishes without a word is noticed in seconds, not in the system's quarter of an
    # hour; Linux only.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _ALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class _Stream(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, owner: TcpTransport) -> None:
        self._owner = owner
        self._reader = owner.reader()
        self._transport: asyncio.Transport | None = None
        self.addr: PeerAddress = ("", 0)
        self.local_port = 0
        self.opened_at = 0.0
        self.heard = False
        """Whether a whole message has come."""
        self._more: asyncio.Handle | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        set_read_size(transport)
        self.addr = peer_address(transport.get_extra_info("peername"))
        self.opened_at = asyncio.get_running_loop().time()
        self.local_port = transport.get_extra_info("sockname")[1]
        # Commands are small and wait for their echo: Nagle's algorithm would delay each of them.
        _tune(transport.get_extra_info("socket"))
        self._owner.opened(self)
        self._take_slice()  # what may have come with the end of a handshake

    def data_received(self, data: bytes) -> None:
        self._reader.add(data)
        if self._more is None and self._transport:
            self._take_slice()

    def _take_slice(self) -> None:
        """Hand on some messages; read no further before all that came are handed on."""
        self._more = None
        assert self._transport
        try:
            for _ in range(_SLICE):
                message = self._reader.next()
                if message is None or self._ended:
                    self._transport.resume_reading()
                    return
                self.heard |= self._owner.received(message, self)
        except ProtocolError as error:
            log.warning("closed the connection to %s port %d: %s", *self.addr, error)
            self.close()
            return
        self._transport.pause_reading()
        self._more = asyncio.get_running_loop().call_soon(self._take_slice)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._more:
            self._more.cancel()
        self._owner.closed(self, exc)

    def write(self, data: bytes) -> None:
        """Write one message; a peer that never reads is cut off."""
        assert self._transport
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            log.warning("cut off %s port %d: it does not read", *self.addr)
            self._ended = True
            self._transport.abort()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport:
            self._transport.abort()

    def close(self) -> None:
        """Close the connection after what was written has gone out."""
        self._ended = True
        if self._transport:
            self._transport.close()
