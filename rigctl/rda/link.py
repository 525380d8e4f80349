"""One client of a simulated RDA server: what is sent to it, and what is dropped for it.

From: `simulator`.  To: the client's socket.

What the system does not take at once waits in a bounded queue. When that is full, blocks are
dropped for this client alone, which sees a jump of the block number; control messages never are.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)


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
