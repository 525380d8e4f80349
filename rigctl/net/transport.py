"""What a transport offers and whom it tells: the seam between sockets and the communicator.

From: `net.udp`, `net.tcp`.  To: `net.communicator`.
"""

from typing import Any, Protocol

PeerAddress = tuple[str, int]
"""A peer's host and port, as its socket shows them; a link-local host with its zone."""

UDP_MAX_BYTES = 65_507
"""The largest payload of an IPv4 datagram."""


_READ_BYTES = 1 << 16


def peer_address(address: tuple[Any, ...]) -> PeerAddress:
    """Return the host and port of a socket's address.

    The socket module keeps the zone of an IPv6 address beside the host (host, port, flow, zone);
    without it nothing could be sent back to a link-local one.
    """
    host, port, zone = address[0], address[1], address[3] if len(address) > 3 else 0
    return (f"{host}%{zone}" if zone and "%" not in host else host), port


def set_read_size(transport: object) -> None:
    """Have a transport of asyncio's read into 64 KiB, which hold any datagram.

    It takes 256 KiB by default, which the system maps and unmaps for each message anew: a third of
    the time that a confirmed round trip takes.
    """
    if hasattr(transport, "max_size"):
        transport.max_size = _READ_BYTES


class Listener(Protocol):
    """Whom a transport tells what happens."""

    def received(self, data: bytes, addr: PeerAddress) -> bool:
        """One message's bytes came; return whether their sender may speak."""

    def connected(self, addr: PeerAddress) -> None:
        """A stream to a peer is open (streams only)."""

    def disconnected(self, addr: PeerAddress, error: Exception | None) -> None:
        """A stream to a peer is closed (streams only)."""

    def failed(self, error: Exception) -> None:
        """The system reports an error, such as that nothing listens at the peer's port."""


class Transport(Protocol):
    """Carries messages' bytes to peers."""

    @property
    def port(self) -> int:
        """The local port."""

    @property
    def is_open(self) -> bool:
        """Whether it can carry anything."""

    def send(self, data: bytes, addr: PeerAddress) -> bool:
        """Carry one message's bytes to a peer; return whether there is a way to it."""

    def close(self) -> None:
        """Close all sockets."""
