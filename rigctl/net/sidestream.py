"""A stream beside a UDP socket, to the same port: for what is too large for a datagram.

From: `net.route`, of a client.  To: `net.tcp`; what comes back goes to the route's user as if it
had come by UDP.  It is opened when it is first needed, and anew when it broke: what is lost with it
is repeated by the engine.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from rigctl.address import Address
from rigctl.net.tcp import TcpTransport
from rigctl.net.transport import PeerAddress

_OPENING_S = 2.0
_MAX_WAITING = 64
"""How many messages wait for it to be opened; the oldest is dropped first, and repeated later."""


class SideStream:
    """One client's way for large messages.

    Args:
        address: the peer's UDP address.
        max_bytes: the largest message that is taken.
        received: told what comes.
        failed: told why it cannot be opened; what waited for it is dropped.
    """

    def __init__(
        self,
        address: Address,
        max_bytes: int,
        received: Callable[[bytes], object],
        failed: Callable[[str], None],
    ) -> None:
        self._address = replace(address, scheme="tcp")
        self._received = received
        self._failed = failed
        self._transport = TcpTransport(self, max_bytes)
        self._peer: PeerAddress | None = None
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING)
        self._opening: asyncio.Task[None] | None = None

    def send(self, data: bytes) -> None:
        """Send a message as soon as there is a way."""
        if self._peer and self._transport.send(data, self._peer):
            return
        self._waiting.append(data)
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name=f"stream to {self._address}")

    def close(self) -> None:
        """Close it for good."""
        if self._opening:
            self._opening.cancel()
        self._transport.close()

    def received(self, data: bytes, addr: PeerAddress) -> bool:
        """One message came."""
        self._received(data)
        return True

    def connected(self, addr: PeerAddress) -> None:
        """It is open."""

    def disconnected(self, addr: PeerAddress, error: Exception | None) -> None:
        """It broke."""
        self._peer = None

    def failed(self, error: Exception) -> None:
        """The system reports an error; only of UDP."""

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(_OPENING_S):
                self._peer = await self._transport.connect(self._address)
            while self._waiting and self._peer:
                self._transport.send(self._waiting.popleft(), self._peer)
        except OSError as error:
            self._waiting.clear()
            why = os.strerror(error.errno) if error.errno else f"no answer within {_OPENING_S:g} s"
            text = "what is too large for a datagram goes by TCP, and"
            self._failed(f"{text} {self._address} cannot be reached: {why}")
        finally:
            self._opening = None
