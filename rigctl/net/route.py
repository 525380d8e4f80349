"""The sockets of one communicator: opened, and opened anew when a stream broke.

From: `net.communicator`.  To: `net.udp`, `net.tcp`; what they receive goes to the communicator.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from dataclasses import replace
from typing import Any, Protocol

from rigctl.address import Address
from rigctl.errors import TooLarge, Unreachable
from rigctl.messages import Message
from rigctl.net import secure
from rigctl.net.codec import encode
from rigctl.net.options import Options
from rigctl.net.outputs import Transmit
from rigctl.net.sidestream import SideStream
from rigctl.net.tcp import TcpTransport
from rigctl.net.transport import Listener, PeerAddress, Transport
from rigctl.net.udp import UdpTransport

_IS_IT_RUNNING = "is its daemon running (rigctl serve)?"
_LOOK_UP_S = 5.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_ENVELOPE_BYTES = 300
"""What the envelope adds to a message, at the most."""


class RouteUser(Listener, Protocol):
    """Whom a route serves."""

    name: str

    @property
    def has_outstanding(self) -> bool:
        """Whether anything sent still waits, so that a lost stream is worth opening anew."""

    def moved(self, old: PeerAddress, new: PeerAddress) -> None:
        """The peer's stream was opened (anew): it is known by another address now."""

    def lack_stream(self) -> None:
        """No stream can be opened beside a UDP socket."""


class Route:
    """The way to one peer (a client), or to all that come (a server).

    Args:
        address: the peer's address, or the local one.
        user: who sends and receives here.
        options: the largest message, and the certificates.
    """

    def __init__(self, address: Address, user: RouteUser, options: Options) -> None:
        self.address = address
        self.peer: PeerAddress = (address.host, address.port)
        self.trouble = ""
        """What is known to be wrong with the way, since something was last sent or received."""
        self._user = user
        self._max_bytes = options.max_bytes
        self._tls = options.tls
        self._heard = False
        self._transport: Transport | None = None
        self._side: SideStream | None = None
        self._held: list[tuple[Transmit, PeerAddress]] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._options: dict[str, Any] = {}
        self._closed = False
        self._pause_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the socket is open (a stream: connected)."""
        return self._transport is not None and self._transport.is_open

    async def listen(self, **options: Any) -> None:
        """Bind; port 0 takes a free one, which `address` tells.

        Raises:
            OSError: the address cannot be bound.
            ConfigError: it is ``tls://`` and there is no certificate.
        """
        if self.address.scheme == "udp":
            self._transport = await UdpTransport.listen(self.address, self._user, **options)
        else:
            self._transport = await TcpTransport.listen(
                self.address, self._user, self._max_bytes, tls=self._server_tls(), **options
            )
        self.address = replace(self.address, port=self._transport.port)

    async def open(self, timeout_s: float, **options: Any) -> None:
        """Connect to the peer, unless that is done.

        Raises:
            Unreachable: the host is not known, or (TCP) nothing listens there.
        """
        self._options |= options
        for _ in range(2):  # an opening anew that is joined may give up where nobody else waits
            if self.is_open:
                return
            if self._opening is None or self._opening.done():
                self._opening = self._task(self._open(timeout_s))
            done, _ = await asyncio.wait({self._opening}, timeout=2 * timeout_s)
            if not done:
                raise self._unreachable(self.trouble or f"{self.address} closed the connection")
            if (opening := done.pop()).cancelled():
                raise self._unreachable(f"the way to {self.address} was closed meanwhile")
            opening.result()

    def check_size(self, message: Message, most: int | None) -> None:
        """Raise if a message has more bytes than are taken.

        Raises:
            TooLarge: it does; says how many it may have.
        """
        most = self._max_bytes if most is None else min(self._max_bytes, most)
        size = len(encode(message)) + _ENVELOPE_BYTES
        if size > most:
            label = message.event.label
            text = (
                f"{label} has {size} bytes, and {self.address} takes {most} at the most: send less"
            )
            raise TooLarge(text, name=self._user.name, uri=str(self.address), command=label)

    def send(self, output: Transmit, addr: PeerAddress) -> None:
        """Put one message's bytes on the wire, if there is a way."""
        if self._held is not None:
            self._held.append((output, addr))
        elif output.by_stream:
            self._beside().send(output.data)
        elif self._transport is not None:
            self._transport.send(output.data, addr)

    def hold(self, on: bool) -> None:
        """Put nothing on the wire for now; or put there what was held, and go on as usual."""
        held, self._held = self._held or (), [] if on else None
        for output, addr in held:
            self.send(output, addr)

    def about_to_send(self) -> None:
        """What was wrong with the way may be mended."""
        if self.is_open:
            self.trouble = ""

    def renew(self) -> None:
        """A stream carries nothing, as far as one can see: have it opened anew."""
        if isinstance(self._transport, TcpTransport):
            self._transport.abort()

    def heard(self) -> None:
        """Something was received: the way is good."""
        self.trouble, self._pause_s, self._heard = "", 0.0, True

    def failed(self, error: Exception) -> None:
        """The system reports an error of the socket."""
        refused = isinstance(error, ConnectionRefusedError)
        self.trouble = f"nothing listens at {self.address}: {_IS_IT_RUNNING}" if refused else ""

    def lost(self, timeout_s: float, error: Exception | None = None) -> None:
        """The stream broke: open it anew while anything waits for the peer."""
        self.trouble = f"{self.address} {self._why_lost(error)}"
        if not self._closed and self._user.has_outstanding:
            self._opening = self._task(self._reopen(timeout_s))

    def close(self) -> None:
        """Close all sockets for good."""
        self._closed = True
        if self._opening:
            self._opening.cancel()
        if self._side:
            self._side.close()
        if self._transport:
            self._transport.close()

    def _beside(self) -> SideStream:
        """Return the way for what is too large for a datagram; only a UDP client needs one."""
        if self._side is None:
            self._side = SideStream(
                self.address,
                self._max_bytes,
                lambda data: self._user.received(data, self.peer),
                self._lacks_stream,
            )
        return self._side

    def _lacks_stream(self, why: str) -> None:
        """No stream can be opened: the engine is told, and what it cannot do without it."""
        self.trouble = why
        self._user.lack_stream()

    def _task(self, opening: Any) -> "asyncio.Task[None]":
        task = asyncio.create_task(opening, name=f"rigctl.open.{self._user.name}")
        # Whoever waits is told by the shield; where nobody does, nothing is to be said.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _open(self, timeout_s: float) -> None:
        # A datagram's way waits for nobody but who looks the name up.
        timeout_s = max(timeout_s, _LOOK_UP_S) if self.address.scheme == "udp" else timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._connect()
        except OSError as error:
            why = secure.why_not(error) if self._is_secure else ""
            why = why or (_why(error) or f"no answer within {timeout_s:g} s") + _hint(error)
            self.trouble = f"cannot reach {self.address}: {why}"
            raise self._unreachable(self.trouble) from error

    def _unreachable(self, text: str) -> Unreachable:
        return Unreachable(text, name=self._user.name, uri=str(self.address))

    async def _connect(self) -> None:
        old = self.peer
        if self.address.scheme == "udp":
            udp = await UdpTransport.connect(self.address, self._user, **self._options)
            self._transport, self.peer = udp, udp.peer or old
        else:
            tcp = TcpTransport(self._user, self._max_bytes)
            self._transport = tcp
            self._heard = False
            self.peer = await tcp.connect(self.address, **self._client_tls(), **self._options)
        self._user.moved(old, self.peer)

    @property
    def _is_secure(self) -> bool:
        return self.address.scheme == "tls"

    def _server_tls(self) -> ssl.SSLContext | None:
        return (self._tls or secure.server_context(None)) if self._is_secure else None

    def _client_tls(self) -> dict[str, Any]:
        """Return what asyncio needs for a connection."""
        if not self._is_secure:
            return {}
        self._tls = self._tls or secure.client_context()
        name = secure.server_name(self.address.host)
        return {
            "ssl": self._tls,
            "server_hostname": name,
            "ssl_shutdown_timeout": secure.SHUTDOWN_S,
        }

    def _why_lost(self, error: Exception | None) -> str:
        if self._is_secure and not self._heard:
            return secure.why_lost(error)
        return "closed the connection; the log of its daemon may say why"

    async def _reopen(self, timeout_s: float) -> None:
        while self._user.has_outstanding:
            # The pause grows until something is received: a peer that takes every connection and
            # closes it at once is no better than one that takes none.
            pause_s, self._pause_s = self._pause_s, _longer(self._pause_s)
            await asyncio.sleep(pause_s)
            with contextlib.suppress(Unreachable):
                await self._open(timeout_s)
                return


def _longer(pause_s: float) -> float:
    return min(max(pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)


def _hint(error: OSError) -> str:
    """Say what to look at where a computer is there; it is no help where its name is unknown."""
    # Without a number: a timeout, or a name with several addresses that all refused.
    there = isinstance(error, ConnectionRefusedError | TimeoutError) or error.errno is None
    return f"; {_IS_IT_RUNNING}" if there else ""


def _why(error: OSError) -> str:
    """Return what is the matter; asyncio's own text would only repeat the address."""
    if error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return error.strerror or str(error)
