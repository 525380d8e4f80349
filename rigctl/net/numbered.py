"""The ``rigctl`` dialect of one peer: ids, echoes, correlation, retransmission (pure).

From: `net.echo`, which hands it bytes, messages and the time.  To: `net.outputs`.

Every message but an echo carries an id, (epoch, sequence number).  The receiver echoes the id
with a digest of the bytes; until that echo comes the sender repeats the same bytes, later and
later.  A repeat is echoed again and, if it is a command already answered, its stored answer is
sent again; nothing is ever delivered twice.  An answer names the command that it answers, so a
late one resolves nothing else.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from rigctl.messages import ERROR, Event, Message
from rigctl.net.agenda import Agenda
from rigctl.net.codec import Envelope, Kind, Wire, digest_of, encode
from rigctl.net.inputs import Answer, Command, Now
from rigctl.net.memory import Memory, Seen
from rigctl.net.outputs import (
    Answered,
    Confirmed,
    Delivered,
    Ignored,
    Mangled,
    MessageId,
    Output,
    Probed,
    Remember,
    Transmit,
    Unconfirmed,
)
from rigctl.net.timing import RoundTrip, Timing

MAX_UNCONFIRMED_ANSWERS = 64
"""How many answers to one peer wait for their echoes; beyond it the oldest is repeated no more.
It stays in the memory, from where a repeat of its command fetches it."""


_UNKNOWN = {
    Seen.FORGOTTEN: "Unknown: this command was received before, and its result is no longer kept",
    Seen.INTERRUPTED: "Unknown: the rig's daemon was killed before it had answered this command; "
    "whether it took effect is not known: ask the status",
}


@dataclass(slots=True)
class _Sending:
    ticket: int
    data: bytes
    deadline: float
    sent: Now
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class _Asked:
    ticket: int
    data: bytes


@dataclass(slots=True)
class Identity:
    """Who we are to all our peers: an epoch, and the numbers given out in it."""

    epoch: str
    last_seq: int = 0

    def next_id(self) -> MessageId:
        """Give out the next id."""
        self.last_seq += 1
        return self.epoch, self.last_seq


@dataclass(slots=True)
class Context:
    """What the conversations of one communicator share."""

    identity: Identity
    timing: Timing = field(default_factory=Timing)
    memory: Memory = field(default_factory=Memory)
    dice: random.Random = field(default_factory=random.Random)
    """For jitter; a simulation gives its own."""
    remembers: bool = False
    """Whether answers are kept beyond this process."""


class NumberedDialect:
    """The state of the conversation with one peer that knows ids.

    Args:
        context: our identity, timing and memory, shared with other conversations.
        repeats: whether unconfirmed messages are sent again; not on a transport that loses none.
    """

    def __init__(self, context: Context, *, repeats: bool) -> None:
        self._context = context
        self._repeats = repeats
        self._round_trip = RoundTrip(context.timing)
        self._sending: dict[MessageId, _Sending] = {}
        self._agenda = Agenda()
        self._answers: deque[MessageId] = deque()
        self._awaiting: dict[MessageId, _Asked] = {}
        self._latest: dict[Event, MessageId] = {}

    def send(self, now: Now, command: Command) -> list[Output]:
        """Send a command."""
        id = self._context.identity.next_id()
        self._latest[command.message.event] = id
        envelope = Envelope(Kind.COMMAND, *id, clock=now.clock, within_s=command.within_s)
        data = encode(command.message, envelope)
        if command.within_s is not None:
            self._awaiting[id] = _Asked(command.ticket, data)
        return self._begin(now, id, command.ticket, data, command.timeout_s)

    def answer(self, now: Now, answer: Answer) -> list[Output]:
        """Send the answer to a command, and keep it for the command's repeats."""
        assert answer.command is not None
        id = self._context.identity.next_id()
        kind = Kind.ERROR if answer.message.event is ERROR else Kind.REPLY
        envelope = Envelope(kind, *id, answers=answer.command, clock=now.clock)
        data = encode(answer.message, envelope)
        self._context.memory.store(answer.command, data)
        outputs: list[Output] = []
        if self._context.remembers:
            outputs.append(Remember(answer.command, data))
        outputs += self._begin(now, id, answer.ticket, data, answer.timeout_s)
        self._answers.append(id)
        if len(self._answers) > MAX_UNCONFIRMED_ANSWERS:
            outputs += self._give_up(self._answers[0])
        return outputs

    def receive(self, now: Now, data: bytes, wire: Wire) -> list[Output]:
        """Take an enveloped message from the peer."""
        envelope = wire.envelope
        assert envelope is not None
        if envelope.kind is Kind.ECHO:
            return self._confirm(now, envelope)
        id = (envelope.epoch, envelope.seq)
        echo = Envelope(Kind.ECHO, answers=id, digest=digest_of(data), clock=now.clock)
        outputs: list[Output] = [Transmit(encode(Message(wire.message.event), echo))]
        seen = self._context.memory.meet(id)
        if envelope.kind is Kind.COMMAND:
            return outputs + self._command(now, seen, id, wire)
        return outputs + (self._answer(wire) if seen is Seen.NEW else [])

    def poll(self, now: Now) -> list[Output]:
        """Do what is due: repeat, or give up."""
        outputs: list[Output] = []
        for id in list(self._agenda.take(now.monotonic)):
            sending = self._sending[id]
            if now.monotonic >= sending.deadline:
                outputs += self._give_up(id)
            else:
                sending.attempts += 1
                outputs.append(Transmit(sending.data))
                self._schedule(now, id, sending)
        return outputs

    def next_wakeup(self) -> float:
        """Return when `poll` is to be called at the latest; infinity if nothing is due."""
        return self._agenda.next_at()

    def resend(self) -> list[Output]:
        """Send what is unconfirmed or unanswered once more: the connection was made anew."""
        unanswered = {id: asked.data for id, asked in self._awaiting.items()}
        unconfirmed = {id: sending.data for id, sending in self._sending.items()}
        return [Transmit(data) for data in (unanswered | unconfirmed).values()]

    def forget(self, ticket: int) -> None:
        """The caller no longer waits for an answer."""
        for id, asked in list(self._awaiting.items()):
            if asked.ticket == ticket:
                del self._awaiting[id]

    @property
    def awaiting(self) -> bool:
        """Whether a command waits for its answer."""
        return bool(self._awaiting)

    @property
    def unconfirmed(self) -> bool:
        """Whether a message waits for its echo."""
        return bool(self._sending)

    def _begin(
        self, now: Now, id: MessageId, ticket: int, data: bytes, timeout_s: float
    ) -> list[Output]:
        sending = _Sending(ticket, data, now.monotonic + timeout_s, now)
        self._sending[id] = sending
        self._schedule(now, id, sending)
        return [Transmit(data)]

    def _end(self, id: MessageId) -> _Sending:
        """Repeat a message no more."""
        self._agenda.drop(id)
        if id in self._answers:
            self._answers.remove(id)
        return self._sending.pop(id)

    def _give_up(self, id: MessageId) -> list[Output]:
        sending = self._end(id)
        return [Unconfirmed(sending.ticket, sending.attempts)]

    def _schedule(self, now: Now, id: MessageId, sending: _Sending) -> None:
        repeat_at = self._repeat_at(now, sending.attempts)
        self._agenda.put(id, min(sending.deadline, repeat_at))

    def _repeat_at(self, now: Now, attempts: int) -> float:
        if not self._repeats:
            return float("inf")
        # Jitter, so that peers that lost a datagram to one burst do not repeat in step.
        jitter = 1.0 + 0.25 * self._context.dice.random()
        return now.monotonic + self._round_trip.repeat_after_s(attempts) * jitter

    def _confirm(self, now: Now, echo: Envelope) -> list[Output]:
        sending = self._sending.get(echo.answers) if echo.answers else None
        if sending is None or echo.answers is None:
            return [Ignored("an echo of nothing that is awaited")]
        self._end(echo.answers)
        if echo.digest != digest_of(sending.data):
            self._awaiting.pop(echo.answers, None)
            return [Mangled(sending.ticket)]
        outputs: list[Output] = [Confirmed(sending.ticket)]
        if sending.attempts == 1:
            self._round_trip.add(now.monotonic - sending.sent.monotonic)
            if echo.clock is not None:
                outputs.append(Probed(sending.sent.clock, echo.clock, echo.clock, now.clock))
        return outputs

    def _command(self, now: Now, seen: Seen, id: MessageId, wire: Wire) -> list[Output]:
        assert wire.envelope is not None
        if seen is Seen.NEW:
            return [Delivered(wire.message, id, wire.envelope.within_s)]
        stored = self._context.memory.answer(id)
        if text := _UNKNOWN.get(seen):
            stored = encode(
                Message(ERROR, (text, int(wire.message.event))),
                Envelope(
                    Kind.ERROR, *self._context.identity.next_id(), answers=id, clock=now.clock
                ),
            )
        # While the answer is still being repeated by itself, a repeat of the command adds none.
        under_way = any(sending.data == stored for sending in self._sending.values())
        return [] if stored is None or under_way else [Transmit(stored)]

    def _answer(self, wire: Wire) -> list[Output]:
        assert wire.envelope is not None
        command = wire.envelope.answers
        asked = self._awaiting.pop(command, None) if command else None
        if asked is not None:
            return [Answered(asked.ticket, wire.message), Delivered(wire.message)]
        if command in self._latest.values():
            return [Delivered(wire.message)]
        return [Ignored("a late answer to an earlier command")]
