"""What a caller holds of a message that it sent: confirmed? answered?

From: `net.communicator`.  To: callers of it, who await one or both.
"""

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

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
from rigctl.net.outputs import (
    Answered,
    Confirmed,
    Mangled,
    Output,
    Oversized,
    Unconfirmed,
    Unkeyed,
)

_E = TypeVar("_E", bound=RigError)


def _future() -> "asyncio.Future[Message]":
    return asyncio.get_running_loop().create_future()


def _fail(future: "asyncio.Future[Message]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # who only awaits the other of the two must not be warned of this one


class Tickets:
    """All tickets of one communicator."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[int, Ticket] = {}

    def number(self) -> int:
        """Return a number that was never given out."""
        return next(self._numbers)

    def add(self, ticket: "Ticket") -> None:
        """Tell this ticket what becomes of its message."""
        self._open[ticket.number] = ticket

    def forget(self, ticket: "Ticket") -> None:
        """Tell it nothing any more."""
        self._open.pop(ticket.number, None)

    def take(self, number: int, output: Output, *, trouble: str) -> None:
        """Hand on what the engine says of a message; nobody may wait for it any more."""
        if ticket := self._open.get(number):
            ticket.take(output, trouble=trouble)

    def leave(self, numbers: Iterable[int]) -> None:
        """A peer is forgotten: whoever waits for it is told."""
        for number in numbers:
            if ticket := self._open.pop(number, None):
                ticket.left()

    def close(self) -> None:
        """The communicator is closed: whoever waits is told."""
        for ticket in list(self._open.values()):
            ticket.closed()
        self._open.clear()


async def outcomes(tickets: Sequence["Ticket"]) -> list[Message | Exception]:
    """Wait until all tickets are answered or have failed; return what came of each.

    One wait for all of them: a hundred rigs cost no task and no timer each.  A reply is waited for
    until its time after the last ticket's echo.
    """
    await _all(ticket.confirmed for ticket in tickets)
    times_s = [t.reply_timeout_s for t in tickets]
    within_s = None if None in times_s else max((s for s in times_s if s is not None), default=0.0)
    await _all((t.answered for t in tickets if t.answered), within_s)
    return [ticket.outcome() for ticket in tickets]


async def _all(futures: Iterable["asyncio.Future[Message]"], within_s: float | None = None) -> None:
    if left := [future for future in futures if not future.done()]:
        await asyncio.wait(left, timeout=within_s)


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
            case Unkeyed():
                self.unkeyed()
            case Oversized(_, size, most):
                self.oversized(size, most, trouble)
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
        key = ", and that it has our key" if self.keyed else ", and that it asks for no key"
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

    def oversized(self, size: int, most: int, trouble: str) -> None:
        """It does not fit what the peer takes."""
        label, why = self.message.event.label, f" ({trouble})" if trouble else ""
        text = f"{label} has {size} bytes, and {self.uri} takes {most} at the most{why}: send less"
        self.fail(self._error(TooLarge, text))

    def unkeyed(self) -> None:
        """The peer has no key, and nothing is said to it without one."""
        text = (
            f"{self.uri} only echoes, as the predecessor's rigs do, and knows no key: write "
            "dialect: iblutil for it in the lab file, or give it the key (key_file)"
        )
        self.fail(self._error(Unreachable, text))

    def left(self) -> None:
        """The peer is gone before it answered."""
        label = self.message.event.label
        self.fail(self._error(Unreachable, f"{label}: {self.name} left before it answered"))

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
            raise self.no_reply() from None

    def outcome(self) -> Message | Exception:
        """Return what came of it when all waiting is over."""
        assert self.answered
        if not self.answered.done():
            return self.no_reply()
        error = self.answered.exception()
        return error if isinstance(error, Exception) else self.answered.result()

    def no_reply(self) -> NoReply:
        """Return the error that says that its answer did not come in time."""
        text = (
            f"{self.uri} confirmed {self.message.event.label} but did not reply within "
            f"{self.reply_timeout_s:g} s: whether it took effect is unknown; ask its status"
        )
        return self._error(NoReply, text)

    def _error(self, kind: type[_E], text: str) -> _E:
        return kind(text, name=self.name, uri=self.uri, command=self.message.event.label)
