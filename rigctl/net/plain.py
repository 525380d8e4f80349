"""The ``iblutil`` dialect of one peer: echoes without ids (pure).

From: `net.echo`, which hands it bytes, messages and the time.  To: `net.outputs`.

An echo is the same bytes as the message, so only "am I waiting for it?" tells one from the other.
Hence, per peer:

- one message is under way at a time, the others queue (`_queue`, `_current`);
- every transmission owes one echo.  What was sent and not confirmed in time is remembered
  (`_late`) for as long as its echo may come, so that a late echo is never taken for a message and
  echoed back, which would go to and fro for ever;
- bytes that match nothing awaited are a message of the peer's: they are echoed once and delivered;
- errors are never echoed, and keep the pause all the same;
- a peer that confirms nothing is told one answer per `Timing.plain_answer_s`;
- the same bytes again and again, with nothing in between but our echoes of them, are an echo that
  the network doubled and that now bounces: after a few it is no longer answered.

What cannot be told apart without ids is decided for safety: bytes equal to an echo still owed are
that echo.  If the echo was in fact lost, an identical reply is swallowed and the caller is told
that no reply came, which is true of what is known, rather than told of a success too early.
"""

from collections import deque
from dataclasses import dataclass

from rigctl.messages import ERROR, Message
from rigctl.net.codec import Wire, encode
from rigctl.net.inputs import Command, Now
from rigctl.net.outputs import (
    Answered,
    Confirmed,
    Delivered,
    Ignored,
    Output,
    Oversized,
    Transmit,
    Unconfirmed,
)
from rigctl.net.timing import Timing
from rigctl.net.transport import UDP_MAX_BYTES

_MAX_LATE = 256
"""How many unconfirmed transmissions are remembered per peer; the oldest is forgotten first."""

_MAX_ANSWERS = 64
"""How many answers wait for their turn; the oldest is given up first."""

_MAX_OUTBOX = 256
"""How much waits for the pauses between messages; what comes then is not even confirmed."""

_MAX_BOUNCES = 3
"""How often bytes may come again at once before they count as bouncing; a peer may well say the
same thing twice."""


@dataclass(slots=True)
class _Sending:
    command: Command
    data: bytes
    is_answer: bool = False
    deadline: float = float("inf")
    attempts: int = 0
    repeat_at: float = float("inf")


class PlainDialect:
    """The state of the conversation with one peer that knows no ids.

    Args:
        timing: deadlines and pauses.
        spacing_s: the pause kept after what is not confirmed yet (every echo); on TCP such peers
            take every read as one message, so that two that arrive together are lost on them.
        streams: whether messages go by a stream, and not into a datagram each.
    """

    def __init__(self, timing: Timing, *, spacing_s: float, streams: bool = False) -> None:
        self._timing = timing
        self._spacing_s = spacing_s
        self._most = None if streams else UDP_MAX_BYTES
        self._queue: deque[_Sending] = deque()
        self._current: _Sending | None = None
        self._late: deque[tuple[float, bytes]] = deque(maxlen=_MAX_LATE)
        self._awaiting: dict[int, Message] = {}
        self._early: Message | None = None
        self._outbox: deque[bytes] = deque()
        self._last_out = b""
        self._free_at = 0.0
        self._hold_until = 0.0
        self._echoed: tuple[bytes, float] | None = None
        self._bounces = 0

    def send(self, now: Now, command: Command) -> list[Output]:
        """Send a message, after those that still wait for their echo."""
        data = encode(command.message)
        if self._most and len(data) > self._most:
            return [Oversized(command.ticket, len(data), self._most)]
        self._queue.append(_Sending(command, data, deadline=now.monotonic + command.timeout_s))
        return self._advance(now)

    def answer(self, now: Now, command: Command) -> list[Output]:
        """Answer a message, in turn; an error is not echoed and waits for nothing but the pause."""
        data = encode(command.message)
        if command.message.event is ERROR:
            return self._emit(now, data)
        answers = [sending for sending in self._queue if sending.is_answer]
        outputs: list[Output] = []
        if len(answers) >= _MAX_ANSWERS:
            self._queue.remove(answers[0])
            outputs.append(Unconfirmed(answers[0].command.ticket, 0))
        self._queue.append(_Sending(command, data, is_answer=True))
        return outputs + self._advance(now)

    def receive(self, now: Now, data: bytes, wire: Wire) -> list[Output]:
        """Take bytes from the peer; `wire` is what they say."""
        if self._current and data == self._current.data and self._current.attempts:
            return self._confirm(now)
        if self._was_late(now, data):
            return [Ignored("a late echo")]
        if wire.message.event is ERROR:
            return self._deliver_error(wire.message)
        if len(self._outbox) >= _MAX_OUTBOX:
            return [Ignored("more than can be confirmed")]
        if self._bounced(now, data):
            return [Ignored("an echo that bounces to and fro")]
        self._echoed = (data, now.monotonic)
        return [*self._emit(now, data), *self._answers(wire.message), Delivered(wire.message)]

    def poll(self, now: Now) -> list[Output]:
        """Do what is due."""
        outputs = self._flush(now)
        for sending in [s for s in self._queue if now.monotonic >= s.deadline]:
            self._queue.remove(sending)  # it never had its turn
            outputs.append(Unconfirmed(sending.command.ticket, 0))
        current = self._current
        if current and now.monotonic >= current.deadline:
            outputs.append(Unconfirmed(current.command.ticket, current.attempts))
            self._retire(now, current.attempts)
        elif current and now.monotonic >= current.repeat_at:
            outputs += self._transmit(now, current)
        return outputs + self._advance(now)

    def next_wakeup(self) -> float:
        """Return when `poll` is to be called at the latest; infinity if nothing is due."""
        due = self._free_at if self._outbox else float("inf")
        if self._queue:
            due = min(due, *(sending.deadline for sending in self._queue))
        if self._queue and not self._current:
            due = min(due, self._hold_until)
        if self._current:
            due = min(due, self._current.deadline, self._current.repeat_at)
        return due

    def forget(self, ticket: int) -> None:
        """The caller waits no longer: what has not had its turn is not sent any more."""
        self._awaiting.pop(ticket, None)
        for sending in [s for s in self._queue if s.command.ticket == ticket]:
            self._queue.remove(sending)

    def hold(self, now: Now, pause_s: float) -> None:
        """Begin no message of our own for a while; echoes go out all the same."""
        self._hold_until = now.monotonic + pause_s

    def expect_echo(self, now: Now, data: bytes) -> None:
        """Remember bytes that were sent by other means: their echo is no message."""
        self._late.append((now.monotonic + self._timing.late_echo_s, data))

    @property
    def tickets(self) -> set[int]:
        """The tickets of all that is under way."""
        sendings = [*self._queue, *([self._current] if self._current else [])]
        return {s.command.ticket for s in sendings} | set(self._awaiting)

    @property
    def unconfirmed(self) -> bool:
        """Whether a message waits for its echo or for its turn."""
        return self._current is not None or bool(self._queue)

    def _advance(self, now: Now) -> list[Output]:
        """Begin the next queued message, unless one is under way."""
        if self._current or not self._queue or now.monotonic < self._hold_until:
            return []
        self._current = self._queue.popleft()
        if self._current.is_answer:  # nobody waits for it: its time is that of its own echo
            self._current.deadline = now.monotonic + self._current.command.timeout_s
        return self._transmit(now, self._current)

    def _transmit(self, now: Now, sending: _Sending) -> list[Output]:
        self._echoed = None
        sending.attempts += 1
        share = sending.command.timeout_s / (self._timing.plain_retries + 1)
        more = sending.attempts <= self._timing.plain_retries
        sending.repeat_at = now.monotonic + share if more else float("inf")
        return self._emit(now, sending.data)

    def _confirm(self, now: Now) -> list[Output]:
        assert self._current
        done = self._current
        if self._last_out is done.data:  # it was read: what follows cannot run into it
            self._free_at = now.monotonic
        early = self._early
        self._retire(now, done.attempts - 1)
        outputs: list[Output] = [Confirmed(done.command.ticket)]
        if early is not None and done.command.within_s is not None:
            outputs.append(Answered(done.command.ticket, early))
        elif done.command.within_s is not None:
            self._awaiting[done.command.ticket] = done.command.message
        return [*outputs, *self._advance(now)]

    def _retire(self, now: Now, echoes_owed: int) -> None:
        assert self._current
        for _ in range(echoes_owed):
            self.expect_echo(now, self._current.data)
        self._current = None
        self._early = None

    def _was_late(self, now: Now, data: bytes) -> bool:
        while self._late and self._late[0][0] <= now.monotonic:
            self._late.popleft()
        for entry in self._late:
            if entry[1] == data:
                self._late.remove(entry)
                return True
        return False

    def _bounced(self, now: Now, data: bytes) -> bool:
        """Whether the last thing that we sent, just now and repeatedly, was the echo of this."""
        echoed, when = self._echoed or (b"", 0.0)
        again = data == echoed and now.monotonic - when < self._timing.bounce_s
        self._bounces = self._bounces + 1 if again else 0
        return self._bounces > _MAX_BOUNCES

    def _answers(self, message: Message) -> list[Output]:
        """Resolve the oldest confirmed command of the same event, if one waits."""
        ticket = self._take_awaiting(message.event)
        if ticket is not None:
            return [Answered(ticket, message)]
        if self._current and self._current.command.message.event == message.event:
            self._early = message  # it has overtaken the echo, which is still to come
        return []

    def _deliver_error(self, message: Message) -> list[Output]:
        about = message.args[1] if len(message.args) > 1 else None
        ticket = self._take_awaiting(about)
        answered: list[Output] = [] if ticket is None else [Answered(ticket, message)]
        return [*answered, Delivered(message)]

    def _take_awaiting(self, event: object) -> int | None:
        """Return the ticket of an event's oldest confirmed command, and forget it."""
        found = (ticket for ticket, command in self._awaiting.items() if command.event == event)
        ticket = next(found, None)
        if ticket is not None:
            del self._awaiting[ticket]
        return ticket

    def _emit(self, now: Now, data: bytes) -> list[Output]:
        self._outbox.append(data)
        return self._flush(now)

    def _flush(self, now: Now) -> list[Output]:
        outputs: list[Output] = []
        while self._outbox and now.monotonic >= self._free_at:
            self._last_out = self._outbox.popleft()
            outputs.append(Transmit(self._last_out))
            if self._spacing_s:
                self._free_at = now.monotonic + self._spacing_s
        return outputs
