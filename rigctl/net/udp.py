"""Messages as UDP datagrams: one message each.

From: sockets.  To: `net.communicator`, through `net.transport`.
"""

import asyncio
from typing import Any, cast

from rigctl.address import Address
from rigctl.net.transport import Listener, PeerAddress, peer_address, set_read_size


class UdpTransport(asyncio.DatagramProtocol):
    """One UDP socket, bound (a server) or connected to one peer (a client)."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.DatagramTransport | None = None
        self.peer: PeerAddress | None = None
        """Whom a client's socket is connected to."""

    @classmethod
    async def listen(cls, address: Address, listener: Listener, **options: Any) -> "UdpTransport":
        """Bind a socket; port 0 takes a free one.

        Raises:
            OSError: the address cannot be bound.
        """
        return await cls._open(listener, local_addr=(address.host, address.port), **options)

    @classmethod
    async def connect(cls, address: Address, listener: Listener, **options: Any) -> "UdpTransport":
        """Connect a socket to a peer; datagrams of strangers are not even received.

        Raises:
            OSError: the host's name cannot be resolved.
        """
        self = await cls._open(listener, remote_addr=(address.host, address.port), **options)
        assert self._transport
        self.peer = peer_address(self._transport.get_extra_info("peername"))
        return self

    @classmethod
    async def _open(cls, listener: Listener, **where: Any) -> "UdpTransport":
        loop = asyncio.get_running_loop()
        _, self = await loop.create_datagram_endpoint(lambda: cls(listener), **where)
        return self

    @property
    def port(self) -> int:
        """The local port."""
        assert self._transport
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def is_open(self) -> bool:
        """Whether the socket is open."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes, addr: PeerAddress) -> bool:
        """Send one datagram; whether it arrives nobody knows."""
        if not self.is_open:
            return False
        assert self._transport
        self._transport.sendto(data, None if self.peer else addr)
        return True

    def close(self) -> None:
        """Close the socket."""
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has opened the socket."""
        # A cast: before Python 3.12 the loop's own class does not inherit from the abstract one.
        self._transport = cast(asyncio.DatagramTransport, transport)
        set_read_size(transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """One datagram came."""
        self._listener.received(data, self.peer or peer_address(addr))

    def error_received(self, exc: Exception) -> None:
        """The system reports an error, such as an ICMP "port unreachable"."""
        self._listener.failed(exc)
