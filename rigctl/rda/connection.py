"""One TCP connection to an RDA server: large reads into one buffer, many messages at a time.

From: the socket, by asyncio.  To: `client`.

    staging:   [ given to the client | parsed, not fetched yet | part of a message | free ]
               0                                              parsed             filled   len

Messages are views of the staging buffer. The free end is read into while the client works on what
it was given; when the buffer is full, reading pauses, TCP makes the server wait, and the server
drops blocks for this client. Once everything was given back, the part of a message moves to the
front. The buffer grows only for a message that is larger, up to the parser's maximum.
"""

import asyncio
import socket
import time

from rigctl.errors import ProtocolError
from rigctl.rda.messages import Message
from rigctl.rda.protocol import Parser

_STAGING_BYTES = 2**20
_KEEPALIVE_IDLE_S = 5
_KEEPALIVE_INTERVAL_S = 2
_KEEPALIVE_PROBES = 3

Arrived = tuple[Message, float]
"""A message and when its last byte arrived."""


class RdaConnection(asyncio.BufferedProtocol):
    """Receives messages; asyncio calls the methods of its protocol interface.

    Args:
        parser: a fresh one; it cuts the stream and bounds the size of a message.
        staging_bytes: the buffer's first size.
    """

    def __init__(self, parser: Parser, staging_bytes: int = _STAGING_BYTES) -> None:
        self._parser = parser
        self._staging = bytearray(staging_bytes)
        self._parsed = 0
        self._filled = 0
        self._arrived: list[Arrived] = []
        self._lent = False
        self._end: Exception | None = None
        self._news = asyncio.Event()
        self._closed = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    async def read(self, silence_s: float | None) -> list[Arrived]:
        """Return all messages that are there, at least one; those of the last call become invalid.

        Args:
            silence_s: how long to wait for one; None for ever.

        Raises:
            ProtocolError: the stream broke the rules; all before that was returned.
            ConnectionError: the connection ended.
            TimeoutError: nothing whole arrived in time.
        """
        self._take_back()
        if not self._arrived and self._end is None:
            await self._wait(silence_s)
        if not self._arrived:
            assert self._end is not None
            raise self._end
        batch, self._arrived = self._arrived, []
        self._lent = True
        return batch

    async def close(self) -> None:
        """End the connection and wait until its socket is closed."""
        if self._transport is not None:
            self._transport.abort()
            await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and have the system probe a silent peer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _probe_when_silent(transport.get_extra_info("socket"))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the free end of the staging buffer, which is never empty."""
        return memoryview(self._staging)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what is whole now and make room for more."""
        self._filled += nbytes
        try:
            self._parse(time.monotonic())
        except ProtocolError as error:
            self._finish(error)
            return
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader."""
        reason = f"the connection broke: {exc}" if exc else "the server closed the connection"
        self._finish(ConnectionResetError(reason))
        self._closed.set()

    async def _wait(self, silence_s: float | None) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(silence_s):
                await self._news.wait()
        except TimeoutError:
            if self._news.is_set():  # a computer that was too busy to look is not silence
                return
            raise TimeoutError(f"no message for {silence_s} s while data were expected") from None

    def _parse(self, arrival_s: float) -> None:
        view = memoryview(self._staging)
        while True:  # a second call finds the broken message behind the good ones
            messages, consumed = self._parser.parse(view[self._parsed : self._filled])
            if not messages:
                return
            self._parsed += consumed
            self._arrived += [(message, arrival_s) for message in messages]
            self._news.set()

    def _finish(self, error: Exception) -> None:
        if self._end is None:
            self._end = error
        self._news.set()
        if self._transport is not None:
            self._transport.abort()

    def _take_back(self) -> None:
        self._lent = False
        self._make_room()
        if self._transport is not None and self._filled < len(self._staging):
            self._transport.resume_reading()

    def _make_room(self) -> None:
        if not self._lent and not self._arrived:
            self._compact()
        if self._filled == len(self._staging) and self._transport is not None:
            self._transport.pause_reading()

    def _compact(self) -> None:
        """Move the part of a message to the front if the whole does not fit behind it."""
        size = self._filled - self._parsed
        wanted = self._parser.wanted
        if size and self._parsed + wanted <= len(self._staging):
            return
        part = bytes(memoryview(self._staging)[self._parsed : self._filled])
        if wanted > len(self._staging):
            self._staging = bytearray(2 * wanted)  # room for the next one behind it
        self._staging[:size] = part
        self._parsed, self._filled = 0, size


def _probe_when_silent(sock: socket.socket) -> None:
    """Have TCP find a peer that is gone, also while nothing but waiting for START is going on."""
    # The receive buffer keeps its automatic size: a fixed one is capped far lower by most systems.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": _KEEPALIVE_IDLE_S,
        "TCP_KEEPINTVL": _KEEPALIVE_INTERVAL_S,
        "TCP_KEEPCNT": _KEEPALIVE_PROBES,
    }
    for name, value in options.items():
        if hasattr(socket, name):  # names differ between systems
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
