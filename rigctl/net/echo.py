"""The echo engine: the conversation with one peer, in whichever dialect it speaks (pure).

From: `net.communicator` hands it messages, bytes and the time.  To: `net.outputs`, which the
communicator carries out.

    AUTO --hello--> peer       a peer that answers with a hello knows ids:  NUMBERED
                               one that only echoes the hello knows none:   PLAIN
    a server listens first, and answers each message in the dialect in which it came

Once a peer has shown that it knows ids it is never spoken to without them again.  With a key there
is one dialect only, and nothing that does not bear the seal is parsed, answered or fallen back to.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from rigctl.errors import ProtocolError
from rigctl.messages import Event, Message
from rigctl.net.codec import Envelope, Kind, Wire, decode
from rigctl.net.context import Context
from rigctl.net.greeting import Greeting
from rigctl.net.inputs import Answer, Command, Now
from rigctl.net.numbered import NumberedDialect
from rigctl.net.outputs import Ignored, Output, Rejected, Transmit, Unconfirmed, Unkeyed
from rigctl.net.packets import MAX_DATAGRAM_BYTES, Packer
from rigctl.net.plain import PlainDialect
from rigctl.net.transport import UDP_MAX_BYTES


class Dialect(StrEnum):
    """How a peer is spoken to."""

    AUTO = "auto"
    IBLUTIL = "iblutil"
    RIGCTL = "rigctl"


_MAX_APPEASED = 2


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
        self._seal = context.seal
        self._dialect = Dialect.RIGCTL if self._seal else dialect
        self._asks = asks
        self.peer_epoch = ""
        """The epoch last heard from the peer; empty where it knows none."""
        spacing_s = context.timing.plain_spacing_s if streams else 0.0
        # A server gives each sender its session, and answers it there, whoever else comes this way.
        session_of = context.memory.session_of
        self._packer = Packer(self._seal) if asks else Packer(self._seal, session_of)
        self._plain = PlainDialect(context.timing, spacing_s=spacing_s, streams=streams)
        large_by_stream = asks or context.has_stream
        datagram = MAX_DATAGRAM_BYTES if large_by_stream else UDP_MAX_BYTES
        self._datagram = None if streams else datagram
        self._numbered = NumberedDialect(context, self._packer, datagram=self._datagram)
        self._outgoing = self._numbered.outgoing
        self._greeting = Greeting(context, self._packer, repeats=not streams)
        self._waiting: list[_Waiting] = []
        self._appeasing = 0

    @property
    def dialect(self) -> Dialect:
        """How the peer is spoken to at present."""
        return self._dialect

    def send(self, now: Now, command: Command) -> list[Output]:
        """Send a message of our own accord."""
        if self._is_to_greet:
            self._waiting.append(_Waiting(command, now.monotonic + command.timeout_s))
            return [] if self._greeting.count else self._greeting.send(now)
        return self._send(now, command)

    def answer(self, now: Now, answer: Answer) -> list[Output]:
        """Answer a delivered message."""
        if answer.command is not None:
            return self._numbered.answer(now, answer)
        return self._plain.answer(now, Command(answer.ticket, answer.message, answer.timeout_s))

    def receive(self, now: Now, data: bytes) -> list[Output]:
        """Take one message's bytes from the peer."""
        if self._seal and not self._seal.is_intact(data):
            return self._appease(data)
        try:
            wire = decode(data)
        except ProtocolError as error:
            return [Rejected(f"not a message: {error}")]
        envelope = wire.envelope
        if envelope is None:
            return self._receive_plain(now, data, wire)
        if envelope.kind is Kind.HELLO:
            return self._meet(now, data, envelope)
        if self._dialect is Dialect.IBLUTIL:
            return [Ignored("a message with an id, from a peer configured as iblutil")]
        if envelope.epoch == self._context.identity.epoch:
            return [Rejected("a message of our own that came back")]
        if self._seal and not self._admits(envelope):
            return [Rejected("a message of another session")]
        self.peer_epoch = envelope.epoch or self.peer_epoch
        return self._settle(now, Dialect.RIGCTL) + self._numbered.receive(now, data, wire)

    def poll(self, now: Now) -> list[Output]:
        """Do what is due; call it at `next_wakeup` or later."""
        outputs = self._outgoing.poll(now)
        if self._seal and self._asks and outputs and self._outgoing.is_troubled:
            outputs.append(self._greeting.again())  # started anew, it knows our session no more
        outputs += self._plain.poll(now)
        for waiting in [w for w in self._waiting if now.monotonic >= w.deadline]:
            self._waiting.remove(waiting)
            outputs.append(Unconfirmed(waiting.command.ticket, self._greeting.count))
        if not self._waiting:
            self._greeting.end()
        elif now.monotonic >= self._greeting.due_at:
            outputs += self._greeting.send(now)
        return outputs

    def next_wakeup(self) -> float:
        """Return the monotonic time of the next thing due; infinity if there is none."""
        due = min(self._plain.next_wakeup(), self._outgoing.next_wakeup())
        if not self._waiting:
            return due
        return min(due, self._greeting.due_at, *(w.deadline for w in self._waiting))

    def lack_stream(self) -> list[Output]:
        """No stream can be opened to the peer, for what is too large for a datagram."""
        return self._outgoing.lack_stream()

    @property
    def tickets(self) -> set[int]:
        """The tickets of all that is under way."""
        waiting = {waiting.command.ticket for waiting in self._waiting}
        return waiting | self._plain.tickets | self._outgoing.tickets

    def reconnected(self, now: Now) -> list[Output]:
        """Say again what the lost connection may have swallowed."""
        self._greeting.end()
        if self._seal and self._asks:
            # Who answers now may have been started anew; what is under way follows its hello.
            self._packer.session = ""
            return self._greeting.send(now) if self.outstanding else []
        return (self._greeting.send(now) if self._waiting else []) + self._outgoing.resend()

    def most_bytes(self, *, answers: bool) -> int | None:
        """Return how large a message to this peer may be; None for as large as any.

        Args:
            answers: whether it answers a message with an id, so that it may be fetched by a stream.
        """
        if self._datagram is None:
            return None
        if self._dialect is Dialect.RIGCTL or answers:
            by_stream = self._asks or (answers and self._context.has_stream)
            return None if by_stream else self._datagram
        return None if self._asks and self._dialect is Dialect.AUTO else UDP_MAX_BYTES

    @property
    def outstanding(self) -> bool:
        """Whether anything sent is not confirmed or not answered yet."""
        return self.unconfirmed or self._outgoing.awaiting

    def forget(self, ticket: int) -> None:
        """The caller no longer waits; what was not sent yet is not sent any more."""
        self._waiting = [w for w in self._waiting if w.command.ticket != ticket]
        self._plain.forget(ticket)
        self._outgoing.forget(ticket)

    @property
    def unconfirmed(self) -> bool:
        """Whether anything sent is not confirmed yet."""
        return bool(self._waiting) or self._plain.unconfirmed or self._outgoing.unconfirmed

    @property
    def _is_to_greet(self) -> bool:
        """Whether nothing can be sent before the peer has answered a hello."""
        has_no_session = self._seal is not None and not self._packer.session
        return self._asks and (self._dialect is Dialect.AUTO or has_no_session)

    def _send(self, now: Now, command: Command) -> list[Output]:
        if self._dialect is Dialect.RIGCTL:
            return self._numbered.send(now, command)
        return self._plain.send(now, command)

    def _admits(self, envelope: Envelope) -> bool:
        if self._asks:
            return bool(envelope.session) and envelope.session == self._packer.session
        if not self._context.memory.admits(envelope.epoch, envelope.session):
            return False
        self._packer.session = envelope.session
        return True

    def _meet(self, now: Now, data: bytes, hello: Envelope) -> list[Output]:
        if self._seal:
            return self._meet_sealed(now, hello)
        if data == self._greeting.plain:
            return self._settle(now, Dialect.IBLUTIL)
        if self._dialect is Dialect.IBLUTIL:
            return self._receive_plain(now, data, Wire(Message(Event.EXPINFO, (0,))))
        settled = self._settle(now, Dialect.RIGCTL)
        if self._asks or hello.answers is not None:
            return settled
        return [*settled, self._greeting.answer(hello)]

    def _meet_sealed(self, now: Now, hello: Envelope) -> list[Output]:
        if hello.epoch == self._context.identity.epoch:
            return self._part()
        if not self._asks:
            return [self._greeting.answer(hello)] if hello.answers is None else []
        if not self._greeting.is_answer(hello):
            return [Rejected("a hello that answers none of ours")]
        self.peer_epoch = hello.epoch
        if hello.session == self._packer.session:
            return []
        self._packer.session = hello.session
        return self._outgoing.readdress() + self._release(now)

    def _part(self) -> list[Output]:
        """Our sealed hello came back: the peer only echoes, and we leave it in peace."""
        self._appeasing = _MAX_APPEASED
        self._greeting.end()
        waiting, self._waiting = self._waiting, []
        rejected = Rejected("a hello of our own that came back: the peer has no key")
        return [rejected, *(Unkeyed(w.command.ticket) for w in waiting)]

    def _appease(self, data: bytes) -> list[Output]:
        """Bytes without the seal: never answered, with one exception.

        A peer of the predecessor's that our hello has met says what it is in return, and closes
        its socket for good if nobody echoes that.
        """
        rejected = Rejected("a message without our key's seal")
        if not self._appeasing or data[1:2] == b"0":
            return [rejected]
        self._appeasing -= 1
        return [rejected, Transmit(data)]

    def _settle(self, now: Now, dialect: Dialect) -> list[Output]:
        """The peer has shown what it speaks: send what waited for that."""
        if self._dialect is not Dialect.AUTO:
            return []
        self._dialect = dialect
        if dialect is Dialect.IBLUTIL:
            for _ in range(self._greeting.count - 1):  # each hello is echoed once
                self._plain.expect_echo(now, self._greeting.plain)
            self._plain.hold(now, self._context.timing.hello_pause_s)
        return self._release(now)

    def _release(self, now: Now) -> list[Output]:
        waiting, self._waiting = self._waiting, []
        self._greeting.end()
        outputs: list[Output] = []
        for one in waiting:
            # The time that the hello took is not given once more.
            left_s = max(one.deadline - now.monotonic, 0.0)
            outputs += self._send(now, replace(one.command, timeout_s=left_s))
        return outputs

    def _receive_plain(self, now: Now, data: bytes, wire: Wire) -> list[Output]:
        if self._seal:
            return [Rejected("a message without an envelope")]
        if self._dialect is Dialect.RIGCTL:
            if self._asks:
                return [Ignored("a message without id, from a peer that knows ids")]
            self._dialect = Dialect.AUTO
        return self._plain.receive(now, data, wire)
