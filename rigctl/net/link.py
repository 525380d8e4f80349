"""One peer's echo engine, brought to life: outputs become datagrams, deadlines become timers.

From: `net.communicator`.  To: the same, through `LinkOwner`.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from rigctl.messages import Event
from rigctl.net.clock import RigClock
from rigctl.net.echo import Echo
from rigctl.net.inputs import Answer, Command
from rigctl.net.offset import OffsetEstimate
from rigctl.net.outputs import Delivered, MessageId, Output, Probed, Rejected, Transmit
from rigctl.net.transport import PeerAddress

_MAX_OPEN = 64
"""How many unanswered messages of a peer are remembered, for answers that name only an event."""


class LinkOwner(Protocol):
    """Whom a link tells what concerns more than itself."""

    clock: RigClock

    def handle(self, link: "Link", output: Output) -> None:
        """Something happened that is neither bytes nor a clock reading."""


class Link:
    """The conversation with one peer on one transport.

    Args:
        addr: the peer.
        engine: its state.
        owner: who is told what happens.
        transmit: puts an output's bytes on the wire.
    """

    def __init__(
        self,
        addr: PeerAddress,
        engine: Echo,
        owner: LinkOwner,
        transmit: Callable[[Transmit, PeerAddress], None],
    ) -> None:
        self.addr = addr
        self.engine = engine
        self.offset = OffsetEstimate()
        self.open: dict[Event, deque[MessageId | None]] = {}
        self._owner = owner
        self._transmit = transmit
        self._timer: asyncio.TimerHandle | None = None
        self._settling: asyncio.Handle | None = None
        self._closed = False

    def send(self, command: Command) -> None:
        """Send a message of our own accord."""
        self._carry_out(self.engine.send(self._owner.clock.now(), command))

    def answer(self, answer: Answer) -> None:
        """Answer a message of the peer's."""
        self._carry_out(self.engine.answer(self._owner.clock.now(), answer))

    def take_open(self, event: Event) -> tuple[bool, MessageId | None]:
        """Return whether a message of that event is unanswered, and the oldest one's id."""
        waiting = self.open.get(event)
        return (True, waiting.popleft()) if waiting else (False, None)

    def receive(self, data: bytes) -> bool:
        """Take one message's bytes; return whether its sender may speak."""
        outputs = self.engine.receive(self._owner.clock.now(), data)
        self._carry_out(outputs)
        return not any(isinstance(output, Rejected) for output in outputs)

    def lack_stream(self) -> None:
        """No stream can be opened to the peer."""
        self._carry_out(self.engine.lack_stream())

    def reconnected(self) -> None:
        """The stream to the peer was made anew."""
        self._carry_out(self.engine.reconnected(self._owner.clock.now()))

    def forget(self, ticket: int) -> None:
        """Nobody waits for the answer under this ticket any more."""
        self.engine.forget(ticket)

    def close(self) -> None:
        """Stop the timers for good."""
        self._closed = True
        for handle in (self._timer, self._settling):
            if handle:
                handle.cancel()

    def _poll(self) -> None:
        self._timer = None
        self._carry_out(self.engine.poll(self._owner.clock.now()))

    def _carry_out(self, outputs: list[Output]) -> None:
        self.offset.follow(self.engine.peer_epoch)
        for output in outputs:
            if isinstance(output, Transmit):
                self._transmit(output, self.addr)
            elif isinstance(output, Probed):
                self.offset.add(output)
            else:
                if isinstance(output, Delivered) and output.message.event:
                    self._open(output)
                self._owner.handle(self, output)
        if self._settling is None and not self._closed and self._is_late():
            # Once per turn of the loop: what is sent together needs one timer together.
            self._settling = asyncio.get_running_loop().call_soon(self._set_timer)

    def _open(self, delivered: Delivered) -> None:
        """Remember that a message waits for its answer."""
        waiting = self.open.get(delivered.message.event)
        if waiting is None:
            waiting = self.open[delivered.message.event] = deque(maxlen=_MAX_OPEN)
        waiting.append(delivered.id)

    def _is_late(self) -> bool:
        """Whether something is due before the timer goes off."""
        at = self.engine.next_wakeup()
        return at < (self._timer.when() if self._timer else float("inf"))

    def _set_timer(self) -> None:
        self._settling = None
        at = self.engine.next_wakeup()
        if at == float("inf") or (self._timer and self._timer.when() <= at):
            return  # a poll that finds nothing due costs less than a new timer per message
        if self._timer:
            self._timer.cancel()
        # The loop's clock is time.monotonic, the same as the engine's.
        self._timer = asyncio.get_running_loop().call_at(at, self._poll)
