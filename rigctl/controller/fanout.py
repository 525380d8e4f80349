"""A message to many rigs at once: all are on the wire before anything is waited for.

From: `controller.services`.  To: one communicator per rig.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from rigctl.errors import RigctlError, Unreachable
from rigctl.messages import Message
from rigctl.net import EchoProtocol
from rigctl.net.tickets import Ticket, outcomes

Messages: TypeAlias = Message | Mapping[str, Message] | Callable[[str], Message]
"""The same message for all rigs; or each rig's own, by its name or as a function of it."""

Outcomes: TypeAlias = tuple[dict[str, Message], dict[str, Exception]]
"""The replies of some rigs and the errors of the others, by name."""


_FOR_EVER_S = 30 * 86_400.0


async def fan_out(
    rigs: Sequence[EchoProtocol], messages: Messages, within_s: float | None
) -> Outcomes:
    """Tell rigs, wait for all and return what came of it.

    Args:
        rigs: in the order in which they are told.
        messages: what they are told.
        within_s: how long each rig's reply is waited for after its echo; None for ever.
    """
    told = _Told({rig.name: message_for(messages, rig.name) for rig in rigs}, within_s)
    try:
        told.tell([rig for rig in rigs if rig.is_connected])
        # A way that is to be opened first, or cannot be, delays nobody else.
        await asyncio.gather(*(told.open_and_tell(rig) for rig in rigs if rig.name not in told))
        results = dict(zip(told.tickets, await outcomes(list(told.tickets.values())), strict=True))
    finally:
        for rig in rigs:
            if ticket := told.tickets.get(rig.name):
                rig.forget(ticket)
    errors = told.errors | {name: r for name, r in results.items() if isinstance(r, Exception)}
    return {name: r for name, r in results.items() if isinstance(r, Message)}, errors


class _Told:
    """What was put on the wire.

    Args:
        messages: each rig's own.
        within_s: how long each reply is waited for; None for ever.
    """

    def __init__(self, messages: Mapping[str, Message], within_s: float | None) -> None:
        self._messages = messages
        self._within_s = within_s or _FOR_EVER_S
        self.tickets: dict[str, Ticket] = {}
        self.errors: dict[str, Exception] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.tickets or name in self.errors

    def tell(self, rigs: Sequence[EchoProtocol]) -> None:
        """Tell rigs whose ways are open: what is packed for all goes out in a row."""
        try:
            for rig in rigs:
                rig.hold(True)
                try:
                    message = self._messages[rig.name]
                    ticket = rig.submit(message, reply_timeout_s=self._within_s)
                    self.tickets[rig.name] = ticket
                except RigctlError as error:
                    self.errors[rig.name] = error
        finally:
            for rig in rigs:
                rig.hold(False)

    async def open_and_tell(self, rig: EchoProtocol) -> None:
        """Open the way to a rig, then tell it."""
        try:
            await rig.open()
        except Unreachable as error:
            self.errors[rig.name] = error
        else:
            self.tell([rig])


def message_for(messages: Messages, name: str) -> Message:
    """Return what one rig is told.

    Raises:
        KeyError: there is no message for it.
    """
    if isinstance(messages, Message):
        return messages
    return messages[name] if isinstance(messages, Mapping) else messages(name)
