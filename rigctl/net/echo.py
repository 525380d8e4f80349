"""The echo engine: the conversation with one peer, in whichever dialect it speaks (pure).

From: `net.communicator` hands it messages, bytes and the time.  To: `net.outputs`, which the
communicator carries out.

    AUTO --hello--> peer       a peer that answers with a hello knows ids:  NUMBERED
                               one that only echoes the hello knows none:   PLAIN
    a server listens first, and answers each message in the dialect in which it came

Once a peer has shown that it knows ids it is never spoken to without them again.
"""

from dataclasses import dataclass
from enum import StrEnum

from rigctl.errors import ProtocolError
from rigctl.messages import Event, Message
from rigctl.net.codec import Envelope, Kind, Wire, decode, encode
from rigctl.net.inputs import Answer, Command, Now
from rigctl.net.numbered import Context, NumberedDialect
from rigctl.net.outputs import Ignored, Output, Transmit, Unconfirmed
from rigctl.net.plain import PlainDialect

DIALECT_VERSION = "1"
"""Of the ``rigctl`` dialect, told in hellos."""


class Dialect(StrEnum):
    """How a peer is spoken to."""

    AUTO = "auto"
    IBLUTIL = "iblutil"
    RIGCTL = "rigctl"


@dataclass(slots=True)
class _Waiting:
    command: Command
    deadline: float


class Echo:
    """The conversation with one peer.

    Args:
        context: what all conversations of a communicator share.
        dialect: how the peer is spoken to; AUTO asks it first (client) or listens (server).
        asks: whether we open the conversation, as a client does.
        streams: whether the transport is a stream (TCP), which loses nothing and keeps no bounds.
    """

    def __init__(
        self, context: Context, dialect: Dialect, *, asks: bool = False, streams: bool = False
    ) -> None:
        self._context = context
        self._dialect = dialect
        self._asks = asks
        self._streams = streams
        self.peer_epoch = ""
        """The epoch last heard from the peer; empty where it knows none."""
        spacing_s = context.timing.plain_spacing_s if streams else 0.0
        self._plain = PlainDialect(context.timing, spacing_s=spacing_s)
        self._numbered = NumberedDialect(context, repeats=not streams)
        self._waiting: list[_Waiting] = []
        self._hello = encode(
            Message(Event.EXPINFO, (0,)),
            Envelope(Kind.HELLO, context.identity.epoch, version=DIALECT_VERSION),
        )
        self._hellos = 0
        self._hello_at = float("inf")

    @property
    def dialect(self) -> Dialect:
        """How the peer is spoken to at present."""
        return self._dialect

    def send(self, now: Now, command: Command) -> list[Output]:
        """Send a message of our own accord."""
        if self._dialect is Dialect.AUTO and self._asks:
            self._waiting.append(_Waiting(command, now.monotonic + command.timeout_s))
            return self._greet(now) if not self._hellos else []
        return self._send(now, command)

    def answer(self, now: Now, answer: Answer) -> list[Output]:
        """Answer a delivered message."""
        if answer.command is not None:
            return self._numbered.answer(now, answer)
        return self._plain.answer(now, Command(answer.ticket, answer.message, answer.timeout_s))

    def receive(self, now: Now, data: bytes) -> list[Output]:
        """Take one message's bytes from the peer."""
        try:
            wire = decode(data)
        except ProtocolError as error:
            return [Ignored(f"not a message: {error}")]
        if wire.envelope is None:
            return self._receive_plain(now, data, wire)
        if wire.envelope.kind is Kind.HELLO:
            return self._meet(now, data)
        if self._dialect is Dialect.IBLUTIL:
            return [Ignored("a message with an id, from a peer configured as iblutil")]
        self.peer_epoch = wire.envelope.epoch or self.peer_epoch
        settled = self._settle(now, Dialect.RIGCTL)
        return settled + self._numbered.receive(now, data, wire)

    def poll(self, now: Now) -> list[Output]:
        """Do what is due; call it at `next_wakeup` or later."""
        outputs = self._plain.poll(now) + self._numbered.poll(now)
        for waiting in [w for w in self._waiting if now.monotonic >= w.deadline]:
            self._waiting.remove(waiting)
            outputs.append(Unconfirmed(waiting.command.ticket, self._hellos))
        if not self._waiting:
            self._hellos, self._hello_at = 0, float("inf")
        elif now.monotonic >= self._hello_at:
            outputs += self._greet(now)
        return outputs

    def next_wakeup(self) -> float:
        """Return the monotonic time of the next thing due; infinity if there is none."""
        waiting = min((w.deadline for w in self._waiting), default=float("inf"))
        plain, numbered = self._plain.next_wakeup(), self._numbered.next_wakeup()
        return min(waiting, self._hello_at, plain, numbered)

    def reconnected(self, now: Now) -> list[Output]:
        """Say again what the lost connection may have swallowed."""
        greeting = self._greet(now) if self._waiting else []
        return greeting + self._numbered.resend()

    @property
    def outstanding(self) -> bool:
        """Whether anything sent is not confirmed or not answered yet."""
        return self.unconfirmed or self._numbered.awaiting

    def forget(self, ticket: int) -> None:
        """The caller no longer waits for the answer under this ticket."""
        self._plain.forget(ticket)
        self._numbered.forget(ticket)

    @property
    def unconfirmed(self) -> bool:
        """Whether anything sent is not confirmed yet."""
        return bool(self._waiting) or self._plain.unconfirmed or self._numbered.unconfirmed

    def _send(self, now: Now, command: Command) -> list[Output]:
        if self._dialect is Dialect.RIGCTL:
            return self._numbered.send(now, command)
        return self._plain.send(now, command)

    def _greet(self, now: Now) -> list[Output]:
        self._hellos += 1
        wait_s = self._context.timing.first_repeat_s * 2.0 ** min(self._hellos - 1, 3)
        if not self._streams:  # there a second hello could only come on top of the first
            self._hello_at = now.monotonic + min(wait_s, self._context.timing.most_repeat_s)
        return [Transmit(self._hello)]

    def _meet(self, now: Now, data: bytes) -> list[Output]:
        if data == self._hello:
            return self._settle(now, Dialect.IBLUTIL)
        if self._dialect is Dialect.IBLUTIL:
            return self._receive_plain(now, data, Wire(Message(Event.EXPINFO, (0,))))
        settled = self._settle(now, Dialect.RIGCTL)
        return settled if self._asks else [*settled, Transmit(self._hello)]

    def _settle(self, now: Now, dialect: Dialect) -> list[Output]:
        """The peer has shown what it speaks: send what waited for that."""
        if self._dialect is not Dialect.AUTO:
            return []
        self._dialect = dialect
        if dialect is Dialect.IBLUTIL:
            for _ in range(self._hellos - 1):  # each hello is echoed once
                self._plain.expect_echo(now, self._hello)
            self._plain.hold(now, self._context.timing.hello_pause_s)
        waiting, self._waiting = self._waiting, []
        self._hello_at = float("inf")
        return [out for w in waiting for out in self._send(now, w.command)]

    def _receive_plain(self, now: Now, data: bytes, wire: Wire) -> list[Output]:
        if self._dialect is Dialect.RIGCTL:
            if self._asks:
                return [Ignored("a message without id, from a peer that knows ids")]
            self._dialect = Dialect.AUTO
        return self._plain.receive(now, data, wire)
