"""What the shell tells the echo engine to do (pure values).

From: `net.communicator`, simulations.  To: `net.echo` and its dialects.
"""

from dataclasses import dataclass

from rigctl.messages import Message
from rigctl.net.outputs import MessageId


@dataclass(frozen=True, slots=True)
class Now:
    """The two clocks of one instant."""

    monotonic: float
    """Seconds that never jump; deadlines are reckoned in it."""
    clock: float
    """Seconds since 1970, as told to peers."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a caller wants sent."""

    ticket: int
    """Names this send in outputs; chosen by the caller, never reused."""
    message: Message
    timeout_s: float
    """How long to go on until it is confirmed."""
    within_s: float | None = None
    """How long its answer is awaited; None if none is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller wants answered."""

    ticket: int
    message: Message
    command: MessageId | None
    """The id of the delivered message, None where it had none."""
    timeout_s: float
    """How long to go on until it is confirmed."""
