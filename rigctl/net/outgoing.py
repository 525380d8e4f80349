"""What was sent to one peer and waits for its echo or its answer (pure).

From: `net.numbered`.  To: the same, as outputs.

    sent ---echo--> confirmed ---answer--> done
     |                 |
     '- repeated,      '- asked again from time to time: what had it may be gone
        later and later, until the deadline
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from rigctl.messages import Message
from rigctl.net.agenda import Agenda
from rigctl.net.codec import Envelope, Kind, digest_of
from rigctl.net.context import Context
from rigctl.net.inputs import Now
from rigctl.net.outputs import (
    Confirmed,
    Ignored,
    Mangled,
    MessageId,
    Output,
    Oversized,
    Probed,
    Transmit,
    Unconfirmed,
)
from rigctl.net.packets import Packer, Packet
from rigctl.net.timing import RoundTrip
from rigctl.net.transport import UDP_MAX_BYTES

MAX_UNCONFIRMED_ANSWERS = 64
"""How many answers to one peer wait for their echoes; beyond it the oldest is repeated no more.
It stays in the memory, from where a repeat of its command fetches it."""


@dataclass(slots=True)
class _Sending:
    ticket: int
    packet: Packet
    deadline: float
    sent: Now
    attempts: int = 1


@dataclass(slots=True)
class _Asked:
    ticket: int
    packet: Packet
    asks: int = 0
    """How often it was sent again after it was confirmed."""
    fetch_at: float = 0.0  # not before then is a large answer fetched (again)


class Outgoing:
    """Messages under way to one peer.

    Args:
        context: timing and dice.
        packer: packs them anew for another session.
        datagram: how much a datagram takes, larger ones need a stream; None where all is one:
            then nothing is lost, and only what is sealed is sent again, slowly.
    """

    def __init__(self, context: Context, packer: Packer, *, datagram: int | None) -> None:
        self._timing = context.timing
        self._dice = context.dice
        self._packer = packer
        self._datagram = datagram
        self._repeats = datagram is not None or context.seal is not None
        self._has_stream = True
        self._round_trip = RoundTrip(context.timing)
        self._sending: dict[MessageId, _Sending] = {}
        self._asked: dict[MessageId, _Asked] = {}
        self._answers: deque[MessageId] = deque()
        self._agenda = Agenda()

    @property
    def awaiting(self) -> bool:
        """Whether a command waits for its answer."""
        return bool(self._asked)

    @property
    def unconfirmed(self) -> bool:
        """Whether a message waits for its echo."""
        return bool(self._sending)

    @property
    def is_troubled(self) -> bool:
        """Whether the peer does not react to repeats, as one that was started anew."""
        patience = 1 if self._datagram is None else 2
        return any(s.attempts > patience for s in self._sending.values()) or any(
            asked.asks for asked in self._asked.values()
        )

    @property
    def tickets(self) -> set[int]:
        """The tickets of all that is under way."""
        return {entry.ticket for entry in self._entries()}

    def send(self, now: Now, ticket: int, packet: Packet, timeout_s: float) -> list[Output]:
        """Send a message, again and again until its echo comes or the time is over."""
        sending = _Sending(ticket, packet, now.monotonic + timeout_s, now)
        self._sending[packet.id] = sending
        self._schedule(now, packet.id, sending)
        return [self.transmit(packet.data)]

    def send_answer(self, now: Now, ticket: int, packet: Packet, timeout_s: float) -> list[Output]:
        """Send an answer; a peer that echoes nothing keeps few of them waiting."""
        outputs = self.send(now, ticket, packet, timeout_s)
        self._answers.append(packet.id)
        if len(self._answers) > MAX_UNCONFIRMED_ANSWERS:
            outputs += self._give_up(self._answers[0])
        return outputs

    def ask(self, ticket: int, packet: Packet) -> None:
        """Have a command that is sent next wait for its answer."""
        self._asked[packet.id] = _Asked(ticket, packet)

    def asked(self, id: MessageId | None) -> Packet | None:
        """Return a command that still waits for its answer."""
        asked = self._asked.get(id) if id else None
        return asked.packet if asked else None

    def answered(self, id: MessageId) -> int:
        """A command's answer came; return its ticket."""
        if id not in self._sending:
            self._agenda.drop(id)
        return self._asked.pop(id).ticket

    def answering(self, id: MessageId) -> list[Output] | None:
        """Return what a repeat of a command brings whose answer is under way; None if none is.

        Nothing, unless it comes in another session, in which that answer could not be read.
        """
        for sending in self._sending.values():
            if sending.packet.envelope.answers == id:
                packet = self._packer.pack(sending.packet.message, sending.packet.envelope)
                if packet.data == sending.packet.data:
                    return []
                sending.packet = packet
                return [self.transmit(packet.data)]
        return None

    def fetch(self, now: Now, id: MessageId | None) -> list[Output]:
        """A notice came of an answer that is too large: have it sent some other way, in time."""
        asked = self._asked.get(id) if id else None
        if asked is None or now.monotonic < asked.fetch_at:
            return []
        asked.fetch_at = now.monotonic + self._timing.ask_again_s
        return [Transmit(asked.packet.data, by_stream=self._has_stream)]

    def lack_stream(self) -> list[Output]:
        """No stream can be opened to the peer: ask it for whole answers in a datagram each."""
        if not self._has_stream:
            return []
        self._has_stream = False
        # What is on the wire stays as it is: its echo tells of those very bytes.
        on_wire = [s for s in self._sending.values() if self.fits(s.packet.data)]
        for entry in [entry for entry in self._entries() if entry not in on_wire]:
            entry.packet = self.pack(entry.packet.message, entry.packet.envelope)
        large = {id: s for id, s in self._sending.items() if len(s.packet.data) > UDP_MAX_BYTES}
        for id in large:
            self._end(id)
            self._asked.pop(id, None)
        oversized = (Oversized(s.ticket, len(s.packet.data), UDP_MAX_BYTES) for s in large.values())
        return [*oversized, *self.resend()]

    def pack(self, message: Message, envelope: Envelope) -> Packet:
        """Return a command packed, with a word of it if no stream can be opened."""
        if not self._has_stream and envelope.kind is Kind.COMMAND:
            envelope = msgspec.structs.replace(envelope, whole=True)
        return self._packer.pack(message, envelope)

    def send_whole(self) -> None:
        """The peer can open no stream: what is sent to it takes one datagram, however large."""
        if self._datagram is not None:
            self._datagram = UDP_MAX_BYTES

    def confirm(self, now: Now, echo: Envelope) -> list[Output]:
        """An echo came."""
        id = echo.answers
        sending = self._sending.get(id) if id else None
        if sending is None or id is None:
            return [Ignored("an echo of nothing that is awaited")]
        if echo.digest != digest_of(sending.packet.data):
            return self._mangled(id, sending)
        self._end(id)
        outputs: list[Output] = [Confirmed(sending.ticket)]
        # Never of a message that was sent twice (Karn's rule), nor of one that opened a stream.
        if sending.attempts > 1:
            self._round_trip.missed(sending.attempts)
        elif self.fits(sending.packet.data):
            self._round_trip.add(now.monotonic - sending.sent.monotonic)
        if echo.clock is not None:
            # Whichever of several copies is echoed, the clock was read after the first was sent.
            outputs.append(Probed(sending.sent.clock, echo.clock, echo.clock, now.clock))
        if asked := self._asked.get(id):
            self._await_answer(now, id, asked)
        return outputs

    def poll(self, now: Now) -> list[Output]:
        """Do what is due: repeat, ask again, or give up."""
        due = list(self._agenda.take(now.monotonic))
        return [output for id in due for output in self._due(now, id)]

    def next_wakeup(self) -> float:
        """Return when `poll` is to be called at the latest; infinity if nothing is due."""
        return self._agenda.next_at()

    def resend(self) -> list[Output]:
        """Send what is unconfirmed or unanswered once more: the connection was made anew."""
        packets = {entry.packet.id: entry.packet for entry in self._entries()}
        return [self.transmit(packet.data) for packet in packets.values()]

    def readdress(self) -> list[Output]:
        """Pack what is under way for a new session, and send it once more."""
        for entry in self._entries():
            entry.packet = self.pack(entry.packet.message, entry.packet.envelope)
        return self.resend()

    def forget(self, ticket: int) -> None:
        """The caller waits no longer: what is not confirmed is not sent again either."""
        for id in [id for id, asked in self._asked.items() if asked.ticket == ticket]:
            del self._asked[id]
            self._agenda.drop(id)
        for id in [id for id, sending in self._sending.items() if sending.ticket == ticket]:
            self._end(id)

    def fits(self, data: bytes) -> bool:
        """Whether bytes go the usual way, or are too large for a datagram."""
        return self._datagram is None or len(data) <= self._datagram

    def transmit(self, data: bytes) -> Transmit:
        """Return the output that sends bytes the way that they fit."""
        return Transmit(data, by_stream=self._has_stream and not self.fits(data))

    def _entries(self) -> Iterator[_Sending | _Asked]:
        yield from self._asked.values()
        yield from self._sending.values()

    def _due(self, now: Now, id: MessageId) -> list[Output]:
        sending = self._sending.get(id)
        if sending is None:
            return self._ask_again(now, id)
        if now.monotonic >= sending.deadline:
            return self._give_up(id)
        sending.attempts += 1
        self._schedule(now, id, sending)
        return [self.transmit(sending.packet.data)]

    def _ask_again(self, now: Now, id: MessageId) -> list[Output]:
        asked = self._asked.get(id)
        if asked is None:
            return []
        asked.asks += 1
        self._await_answer(now, id, asked)
        return [self.transmit(asked.packet.data)]

    def _end(self, id: MessageId) -> _Sending:
        """Repeat a message no more."""
        self._agenda.drop(id)
        if id in self._answers:
            self._answers.remove(id)
        return self._sending.pop(id)

    def _give_up(self, id: MessageId) -> list[Output]:
        sending = self._end(id)
        return [Unconfirmed(sending.ticket, sending.attempts)]

    def _mangled(self, id: MessageId, sending: _Sending) -> list[Output]:
        if self._packer.session:
            # With a key nothing mangled is echoed: it was packed anew for another session since.
            return [Ignored("an echo of what was sent in an earlier session")]
        self._end(id)
        self._asked.pop(id, None)
        return [Mangled(sending.ticket)]

    def _schedule(self, now: Now, id: MessageId, sending: _Sending) -> None:
        repeat_at = float("inf")
        if self._repeats:
            pause_s = self._round_trip.repeat_after_s(sending.attempts)
            if self._datagram is None:
                pause_s = self._timing.stream_repeat_s * 2.0 ** (sending.attempts - 1)
            repeat_at = now.monotonic + self._jittered(pause_s)
        self._agenda.put(id, min(sending.deadline, repeat_at))

    def _await_answer(self, now: Now, id: MessageId, asked: _Asked) -> None:
        if self._repeats:
            pause_s = min(self._timing.ask_again_s * 2.0**asked.asks, self._timing.most_ask_again_s)
            self._agenda.put(id, now.monotonic + self._jittered(pause_s))

    def _jittered(self, pause_s: float) -> float:
        # So that peers that lost a datagram to one burst do not repeat in step.
        return pause_s * (1.0 + 0.25 * self._dice.random())
