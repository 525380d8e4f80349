"""What the echo engine tells its shell to do or to know (pure values).

From: `net.echo` and its dialects.  To: `net.communicator`, simulations.
"""

from dataclasses import dataclass

from rigctl.messages import Event, Message

MessageId = tuple[str, int]
"""A message's epoch and sequence number; only the ``rigctl`` dialect has them."""


@dataclass(frozen=True, slots=True)
class Transmit:
    """Put these bytes on the wire to the peer, now."""

    data: bytes
    by_stream: bool = False
    """Whether they are too large for a datagram and take a stream to the same peer."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A command that changes something is about to be delivered: remember that on disk first."""

    id: MessageId
    event: Event


@dataclass(frozen=True, slots=True)
class Stored:
    """This is the answer to such a command, about to be sent: remember it on disk first."""

    id: MessageId
    answer: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The peer sent this message of its own accord: it is neither echo nor repeat."""

    message: Message
    id: MessageId | None = None
    """Names the message when it is answered; None in the dialect without ids."""
    within_s: float | None = None
    """How long the peer waits for the answer, where it says so."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The message sent under this ticket arrived."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The message sent under this ticket was not confirmed by its deadline."""

    ticket: int
    attempts: int
    """How often it was put on the wire."""


@dataclass(frozen=True, slots=True)
class Unkeyed:
    """The message under this ticket was not sent: the peer has no key, and we have one."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Mangled:
    """The message sent under this ticket arrived with other bytes than were sent."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Oversized:
    """The message under this ticket does not fit what the peer takes; it was not sent."""

    ticket: int
    size: int
    most: int


@dataclass(frozen=True, slots=True)
class Answered:
    """This is the peer's answer (or error) to the command sent under this ticket."""

    ticket: int
    message: Message


@dataclass(frozen=True, slots=True)
class Probed:
    """One exchange of clock readings: ours, theirs, theirs, ours, in seconds."""

    sent: float
    peer_received: float
    peer_sent: float
    received: float


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something came that is passed over; worth a line in the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bytes that nobody who may speak here has sent, or not as they came; never answered."""

    reason: str


Output = (
    Transmit
    | Begun
    | Stored
    | Delivered
    | Confirmed
    | Unconfirmed
    | Unkeyed
    | Mangled
    | Oversized
    | Answered
    | Probed
    | Ignored
    | Rejected
)
