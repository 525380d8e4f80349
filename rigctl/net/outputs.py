"""What the echo engine tells its shell to do or to know (pure values).

From: `net.echo` and its dialects.  To: `net.communicator`, simulations.
"""

from dataclasses import dataclass

from rigctl.messages import Message

MessageId = tuple[str, int]
"""A message's epoch and sequence number; only the ``rigctl`` dialect has them."""


@dataclass(frozen=True, slots=True)
class Transmit:
    """Put these bytes on the wire to the peer, now."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The peer sent this message of its own accord: it is neither echo nor repeat."""

    message: Message
    id: MessageId | None = None
    """Names the message when it is answered; None in the dialect without ids."""
    within_s: float | None = None
    """How long the peer waits for the answer, where it says so."""


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep the answer to a command beyond this process; it goes on the wire after this."""

    id: MessageId
    """The command's."""
    answer: bytes


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
class Mangled:
    """The message sent under this ticket arrived with other bytes than were sent."""

    ticket: int


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


Output = (
    Transmit
    | Delivered
    | Remember
    | Confirmed
    | Unconfirmed
    | Mangled
    | Answered
    | Probed
    | Ignored
)
