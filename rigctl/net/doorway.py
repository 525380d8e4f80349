"""Connections before they are secure: TLS handshakes, bounded in number and time.

From: sockets.  To: `net.tcp`, which gets a connection once its peer has shown who it is.
"""

import asyncio
import functools
import logging
import ssl
from collections.abc import Callable
from typing import cast

from rigctl.net import secure
from rigctl.net.transport import PeerAddress, peer_address

log = logging.getLogger(__name__)

MAX_HANDSHAKES = 64
"""How many are under way at once; the oldest makes room for a further one."""

HANDSHAKE_S = 5.0
"""How long one may take."""

_LOG_S = 10.0
"""How often the refused are logged, so that nobody fills the disk by knocking."""


class Doorway:
    """The handshakes of one server.

    Args:
        context: our certificate, and whose clients are let in.
        make: makes the protocol of a connection that is let in; data may reach it just before
            its `connection_made`.
    """

    def __init__(self, context: ssl.SSLContext, make: Callable[[], asyncio.Protocol]) -> None:
        self._context = context
        self._make = make
        self._handshakes: dict[asyncio.Task[None], None] = {}  # the oldest first
        self._refused = 0
        self._logged_at = -_LOG_S

    def connection(self) -> asyncio.Protocol:
        """Return the protocol of a new connection, for asyncio."""
        return _Knocking(self)

    def knocked(self, transport: asyncio.Transport) -> None:
        """A connection was made."""
        if len(self._handshakes) >= MAX_HANDSHAKES:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.cancel()
        peer = peer_address(transport.get_extra_info("peername"))
        name = f"handshake with {peer[0]} port {peer[1]}"
        task = asyncio.create_task(self._shake(transport, peer), name=name)
        self._handshakes[task] = None
        task.add_done_callback(functools.partial(self._ended, transport))

    def close(self) -> None:
        """End all handshakes."""
        for task in self._handshakes:
            task.cancel()

    def _ended(self, transport: asyncio.Transport, task: "asyncio.Task[None]") -> None:
        self._handshakes.pop(task, None)
        if task.cancelled():
            transport.abort()

    async def _shake(self, transport: asyncio.Transport, peer: PeerAddress) -> None:
        protocol = self._make()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                protocol,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=secure.SHUTDOWN_S,
            )
        except OSError as error:
            self._note(peer, error)
        else:
            if secured:  # or it is gone already
                protocol.connection_made(secured)

    def _note(self, peer: PeerAddress, error: OSError) -> None:
        """Log who is refused, now and then all that were since."""
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged_at < _LOG_S:
            return
        why = secure.why_not(error) or str(error)
        more = f" (and {self._refused - 1} more before)" if self._refused > 1 else ""
        log.warning("refused %s port %d: %s%s", *peer, why, more)
        self._refused, self._logged_at = 0, now


class _Knocking(asyncio.Protocol):
    """A connection until its handshake begins."""

    def __init__(self, doorway: Doorway) -> None:
        self._doorway = doorway

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._doorway.knocked(cast(asyncio.Transport, transport))
