"""Messages that wait for an answer, as a server hands them on.

From: `net.communicator`.  To: the daemon.
"""

import asyncio
from dataclasses import dataclass

from rigctl.errors import Refused
from rigctl.messages import Message
from rigctl.net.outputs import MessageId
from rigctl.net.transport import PeerAddress

_MAX_REQUESTS = 1000
"""How many delivered messages wait for a server that iterates; further ones are refused."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message that a peer sent to a server, waiting to be answered."""

    message: Message
    addr: PeerAddress
    id: MessageId | None
    within_s: float | None
    """How long the peer waits for the answer, where it says so."""


class Inbox:
    """Requests that wait for a server that iterates; bounded.

    Args:
        from_start: whether they are kept before anybody iterates, and refused after it.  Where
            callbacks serve, nobody may ever iterate, and nothing is kept.
    """

    def __init__(self, *, from_start: bool) -> None:
        self._from_start = from_start
        self._queue: asyncio.Queue[Request] | None = None
        self._ended = False
        if from_start:
            self.open()

    def open(self) -> None:
        """Keep what is put from now on."""
        self._ended = False
        if self._queue is None:
            self._queue = asyncio.Queue(_MAX_REQUESTS)

    def put(self, request: Request) -> Refused | None:
        """Keep a request for who iterates; return why not, if it is to be refused."""
        if self._ended:
            return no_more()
        if self._queue is not None:
            try:
                self._queue.put_nowait(request)
            except asyncio.QueueFull:
                return Refused(f"{self._queue.maxsize} messages wait here already: try again later")
        return None

    async def get(self) -> Request:
        """Wait for the next request; `open` comes first."""
        assert self._queue
        return await self._queue.get()

    def close(self) -> list[Request]:
        """Keep nothing any more; return what nobody took."""
        queue, self._queue = self._queue, None
        self._ended = self._from_start
        return [queue.get_nowait() for _ in range(queue.qsize())] if queue else []


def no_more() -> Refused:
    """Return what is said to who comes too late."""
    return Refused("nobody takes commands here any more: it is being stopped")
