"""What a caller holds of a message that it sent: confirmed? answered?

From: `net.communicator`.  To: callers of it, who await one or both.
"""

import asyncio
from dataclasses import dataclass, field

from rigctl.errors import (
    NoEcho,
    NoReply,
    RemoteError,
    RigError,
    TooLarge,
    UnknownOutcome,
    Unreachable,
)
from rigctl.messages import ERROR, Message
from rigctl.net.callbacks import remote_error
from rigctl.net.numbered import UNKNOWN_OUTCOME
from rigctl.net.outputs import Answered, Confirmed, Mangled, Output, Oversized, Unconfirmed


def _future() -> "asyncio.Future[Message]":
    return asyncio.get_running_loop().create_future()


def _fail(future: "asyncio.Future[Message]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # who only awaits the other of the two must not be warned of this one


@dataclass(eq=False, slots=True)
class Ticket:
    """One message under way."""

    number: int
    message: Message
    name: str
    uri: str
    echo_timeout_s: float
    reply_timeout_s: float | None
    """None if no answer is awaited."""
    keyed: bool = False
    """Whether the peer answers only who has its key."""
    confirmed: "asyncio.Future[Message]" = field(default_factory=_future)
    answered: "asyncio.Future[Message] | None" = None
    """None if no answer is awaited."""

    def __post_init__(self) -> None:
        if self.reply_timeout_s is not None:
            self.answered = _future()

    def take(self, output: Output, *, trouble: str) -> None:
        """Take what the engine says of it; `trouble`: what is known to be wrong with the way."""
        match output:
            case Confirmed():
                self.confirm()
            case Answered(_, message):
                self.answer(message)
            case Mangled():
                self.mangled()
            case Oversized(_, size, most):
                self.oversized(size, most)
            case Unconfirmed(_, attempts):
                self.unconfirmed(attempts, trouble)

    def confirm(self) -> None:
        """Its echo came."""
        if not self.confirmed.done():
            self.confirmed.set_result(self.message)

    def answer(self, message: Message) -> None:
        """Its answer came; an error is raised where the answer is awaited."""
        self.confirm()
        if self.answered is None or self.answered.done():
            return
        if message.event is ERROR:
            text, _ = remote_error(message)
            unknown = text.startswith(UNKNOWN_OUTCOME)
            text = text.removeprefix(UNKNOWN_OUTCOME).strip()
            _fail(self.answered, self._error(UnknownOutcome if unknown else RemoteError, text))
        else:
            self.answered.set_result(message)

    def fail(self, error: Exception) -> None:
        """It will never be confirmed nor answered."""
        for future in (self.confirmed, self.answered):
            if future:
                _fail(future, error)

    def unconfirmed(self, attempts: int, trouble: str) -> None:
        """Its deadline passed without an echo."""
        label = self.message.event.label
        if trouble:
            self.fail(self._error(Unreachable, f"{label} was not confirmed: {trouble}"))
            return
        key = ", and that it has our key" if self.keyed else ""
        text = (
            f"no echo of {label} from {self.uri} within {self.echo_timeout_s:g} s "
            f"({attempts} attempt{'s' * (attempts != 1)}): check that the computer is on, "
            f"its daemon runs and no firewall drops the port{key}"
        )
        self.fail(self._error(NoEcho, text))

    def mangled(self) -> None:
        """The peer received other bytes than were sent."""
        text = f"{self.uri} received {self.message.event.label} damaged; nothing was executed twice"
        self.fail(self._error(RigError, text))

    def oversized(self, size: int, most: int) -> None:
        """It does not fit what the peer takes."""
        label = self.message.event.label
        text = f"{label} has {size} bytes, and {self.uri} takes {most} at the most: send less"
        self.fail(self._error(TooLarge, text))

    def closed(self) -> None:
        """The communicator was closed while it was under way."""
        text = f"{self.message.event.label} to {self.uri}: the communicator was closed meanwhile"
        self.fail(self._error(Unreachable, text))

    async def reply(self) -> Message:
        """Wait for the echo, then for the answer, each within its own time.

        Raises:
            NoEcho: it was not confirmed.
            NoReply: it was confirmed and not answered; whether it took effect is not known.
            RemoteError: the peer failed at it.
        """
        await self.confirmed
        assert self.answered
        try:
            async with asyncio.timeout(self.reply_timeout_s):
                return await self.answered
        except TimeoutError:
            text = (
                f"{self.uri} confirmed {self.message.event.label} but did not reply within "
                f"{self.reply_timeout_s:g} s: whether it took effect is unknown; ask its status"
            )
            raise self._error(NoReply, text) from None

    def _error(self, kind: type[RigError], text: str) -> RigError:
        return kind(text, name=self.name, uri=self.uri, command=self.message.event.label)
