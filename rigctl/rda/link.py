"""One client of a simulated RDA server: what is sent to it, and what is dropped for it.

From: `simulator`.  To: the client's socket.

What the system does not take at once waits in a bounded queue. When that is full, blocks are
dropped for this client alone, which sees a jump of the block number; control messages never are.
"""

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import Callable

from rigctl.rda.faults import Act, Deed, Fragments, Trickle

_log = logging.getLogger(__name__)

_TRICKLE_S = 0.1
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER, switched on, 0 s: what is unsent is thrown away, and the other end is told so."""


class Link(asyncio.Protocol):
    """Sends to one client; asyncio calls the methods of its protocol interface.

    Args:
        blocks: how many messages wait at most.
        on_made: called with this link when the client is there.
        on_lost: called with this link when it is gone.
    """

    def __init__(
        self, blocks: int, on_made: Callable[["Link"], None], on_lost: Callable[["Link"], None]
    ) -> None:
        self._blocks = blocks
        self._on_made = on_made
        self._on_lost = on_lost
        self._queue: deque[bytes] = deque()
        self._full = False
        self._transport: asyncio.Transport | None = None
        self._is_silent = False
        self._trickle: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = asyncio.Event()
        self.dropped = 0
        """Blocks that this client will never get."""

    @property
    def is_idle(self) -> bool:
        """Whether the system took every byte so far."""
        return self._idle.is_set()

    def send(self, message: bytes) -> None:
        """Send now, or as soon as the client takes it."""
        if self._is_silent:
            return
        if self._full:
            self._queue.append(message)
        elif self._transport is not None:
            self._transport.write(message)

    def send_block(self, message: bytes) -> None:
        """Send, or drop it where too much is waiting already."""
        if len(self._queue) < self._blocks:
            self.send(message)
            return
        self.dropped += 1
        if self.dropped == 1:
            _log.warning("a client is too slow: blocks are dropped for it")

    def perform(self, act: Act) -> None:
        """Do what a fault asks for."""
        match act:
            case bytes(raw):
                self.send(raw)
            case Fragments(raw):
                for place in range(len(raw)):
                    self.send(raw[place : place + 1])
            case Trickle(raw):
                self._send_slowly(raw)
            case Deed.FALL_SILENT:
                self._is_silent = True
            case Deed.RESET:
                self._reset()
            case Deed.CLOSE if self._transport is not None:
                self._transport.close()

    async def idle(self) -> None:
        """Wait until the system took every byte, or the client is gone."""
        await self._idle.wait()

    async def close(self, *, flush: bool) -> None:
        """Disconnect, and wait until the socket is closed.

        Args:
            flush: whether what the system took is still delivered.
        """
        if self._transport is not None:
            self._transport.close() if flush and self.is_idle else self._transport.abort()
            await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; it is to say at once when the system takes no more."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        self._on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was waiting."""
        if self._trickle is not None:
            self._trickle.cancel()
        self._queue.clear()
        self._full = False
        self._transport = None
        self._idle.set()
        self._closed.set()
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Queue from now on."""
        self._full = True
        self._idle.clear()

    def resume_writing(self) -> None:
        """Send what is queued, until the system takes no more again."""
        self._full = False
        while self._queue and not self._full:
            self.send(self._queue.popleft())
        if not self._full:
            self._idle.set()

    def _send_slowly(self, raw: bytes) -> None:
        """Send byte after byte, and nothing else any more."""
        if self._transport is not None and raw:
            self._is_silent = True
            self._transport.write(raw[:1])
            loop = asyncio.get_running_loop()
            self._trickle = loop.call_later(_TRICKLE_S, self._send_slowly, raw[1:])

    def _reset(self) -> None:
        if self._transport is not None:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            self._transport.abort()
