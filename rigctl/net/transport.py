"""What a transport offers and whom it tells: the seam between sockets and the communicator.

From: `net.udp`, `net.tcp`.  To: `net.communicator`.
"""

from typing import Protocol

PeerAddress = tuple[str, int]
"""A peer's host and port, as its socket shows them."""

UDP_MAX_BYTES = 65_507
"""The largest payload of an IPv4 datagram."""


class Listener(Protocol):
    """Whom a transport tells what happens."""

    def received(self, data: bytes, addr: PeerAddress) -> None:
        """One message's bytes came."""

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
