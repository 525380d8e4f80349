"""The ``rigctl`` dialect of one peer: ids, echoes, correlation, at most once (pure).

From: `net.echo`, which hands it bytes, messages and the time.  To: `net.outputs`.

Every message but an echo carries an id, (epoch, sequence number).  The receiver echoes the id
with a digest of the bytes; `net.outgoing` repeats what is not echoed.  A repeat is echoed again
and, if it is a command already answered, its stored answer is sent again; nothing is ever
delivered twice.  An answer names the command that it answers, so a late one resolves nothing else.

What does not fit a datagram goes by a stream.  An answer finds no stream to a client: a notice of
its size goes instead, upon which the client repeats its command on a stream and is answered there.
"""

from rigctl.messages import ERROR, Event, Message
from rigctl.net.codec import Envelope, Kind, Wire, digest_of
from rigctl.net.context import Context
from rigctl.net.inputs import Answer, Command, Now
from rigctl.net.ledger import EFFECTS
from rigctl.net.memory import Seen
from rigctl.net.outgoing import Outgoing
from rigctl.net.outputs import (
    Answered,
    Begun,
    Delivered,
    Ignored,
    MessageId,
    Output,
    Stored,
    Transmit,
)
from rigctl.net.packets import Packer, Packet

UNKNOWN_OUTCOME = "UnknownOutcome:"
"""How the error begins that answers a command of which nobody knows what came of it."""

_WHY_UNKNOWN = {
    Seen.FORGOTTEN: "this command was received before, and its result is no longer kept",
    Seen.INTERRUPTED: (
        "the rig's daemon was killed while it carried this out, and whether it took effect is not "
        "known: ask its status"
    ),
}


class NumberedDialect:
    """The state of the conversation with one peer that knows ids.

    Args:
        context: our identity, timing and memory, shared with other conversations.
        packer: packs what is sent to this peer.
        datagram: how much a datagram takes, see `Outgoing`; None on a stream.
    """

    def __init__(self, context: Context, packer: Packer, *, datagram: int | None) -> None:
        self._context = context
        self._packer = packer
        self.outgoing = Outgoing(context, packer, datagram=datagram)
        self._latest: dict[Event, MessageId] = {}
        self._is_whole = False
        """Whether the peer can open no stream to fetch a large answer."""

    def send(self, now: Now, command: Command) -> list[Output]:
        """Send a command."""
        id = self._context.identity.next_id()
        self._latest[command.message.event] = id
        envelope = Envelope(Kind.COMMAND, *id, clock=now.clock, within_s=command.within_s)
        packet = self.outgoing.pack(command.message, envelope)
        if command.within_s is not None:
            self.outgoing.ask(command.ticket, packet)
        return self.outgoing.send(now, command.ticket, packet, command.timeout_s)

    def answer(self, now: Now, answer: Answer) -> list[Output]:
        """Send the answer to a command, and keep it for the command's repeats."""
        assert answer.command is not None
        kind = Kind.ERROR if answer.message.event is ERROR else Kind.REPLY
        packet = self._packer.pack(answer.message, self._about(now, kind, answer.command))
        outputs: list[Output] = []
        if self._context.memory.store(answer.command, packet.data):
            outputs.append(Stored(answer.command, packet.data))
        packet = self._fitting(now, packet)
        return outputs + self.outgoing.send_answer(now, answer.ticket, packet, answer.timeout_s)

    def receive(self, now: Now, data: bytes, wire: Wire) -> list[Output]:
        """Take an enveloped message from the peer."""
        envelope = wire.envelope
        assert envelope is not None
        if envelope.kind is Kind.ECHO:
            return self.outgoing.confirm(now, envelope)
        id = (envelope.epoch, envelope.seq)
        outputs: list[Output] = [Transmit(self._echo(now, wire.message, id, digest_of(data)))]
        seen = self._context.memory.meet(id)
        if envelope.kind is Kind.COMMAND:
            if envelope.whole and not self._is_whole:
                self._is_whole = True
                self.outgoing.send_whole()
            return outputs + self._command(now, seen, id, wire)
        return outputs + (self._answer(now, wire) if seen is Seen.NEW else [])

    def _about(
        self, now: Now, kind: Kind, command: MessageId, large: int | None = None
    ) -> Envelope:
        """Return the envelope of an answer to a command."""
        id = self._context.identity.next_id()
        return Envelope(kind, *id, answers=command, clock=now.clock, large=large)

    def _echo(self, now: Now, message: Message, id: MessageId, digest: str) -> bytes:
        # Our epoch tells that the clock is still the one that earlier echoes told.
        epoch = self._context.identity.epoch
        echo = Envelope(Kind.ECHO, epoch, answers=id, digest=digest, clock=now.clock)
        return self._packer.pack(Message(message.event), echo).data

    def _command(self, now: Now, seen: Seen, id: MessageId, wire: Wire) -> list[Output]:
        assert wire.envelope is not None
        event = wire.message.event
        if seen is Seen.NEW:
            delivered = Delivered(wire.message, id, wire.envelope.within_s)
            if not event & EFFECTS:
                return [delivered]
            self._context.memory.keep(id)
            return [Begun(id, event), delivered]
        # While the answer is still being repeated by itself, a repeat of the command adds none.
        if (answering := self.outgoing.answering(id)) is not None:
            return answering
        if seen in _WHY_UNKNOWN:
            message = Message(ERROR, (f"{UNKNOWN_OUTCOME} {_WHY_UNKNOWN[seen]}", int(event)))
            envelope = self._about(now, Kind.ERROR, id)
            return [Transmit(self._packer.pack(message, envelope).data)]
        stored = self._context.memory.answer(id)
        return [self._again(now, stored)] if stored else []

    def _again(self, now: Now, stored: bytes) -> Transmit:
        """Return a stored answer once more, or the notice of it."""
        return Transmit(self._fitting(now, self._packer.repack(stored)).data)

    def _fitting(self, now: Now, packet: Packet) -> Packet:
        """Return an answer; or, where it fits no datagram, the notice of it, or an error."""
        if self.outgoing.fits(packet.data):
            return packet
        command = packet.envelope.answers
        assert command is not None
        size = len(packet.data)
        if not self._is_whole:
            envelope = self._about(now, Kind.REPLY, command, size)
            return self._packer.pack(Message(packet.message.event), envelope)
        text = f"TooLarge: the answer has {size} bytes, and no stream can be opened to fetch it"
        message = Message(ERROR, (text, int(packet.message.event)))
        return self._packer.pack(message, self._about(now, Kind.ERROR, command))

    def _answer(self, now: Now, wire: Wire) -> list[Output]:
        assert wire.envelope is not None
        command = wire.envelope.answers
        if wire.envelope.large is not None:
            return self.outgoing.fetch(now, command)
        asked = self.outgoing.asked(command)
        if asked is not None:
            return [
                Answered(self.outgoing.answered(asked.id), wire.message),
                Delivered(wire.message),
            ]
        if command in self._latest.values():
            return [Delivered(wire.message)]
        return [Ignored("a late answer to an earlier command")]
