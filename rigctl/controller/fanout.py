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
    own = {rig.name: message_for(messages, rig.name) for rig in rigs}
    errors = await _open(rigs)
    tickets: dict[str, Ticket] = {}
    reachable = [rig for rig in rigs if rig.name not in errors]
    try:
        for rig in reachable:
            rig.hold(True)
            try:
                tickets[rig.name] = rig.submit(
                    own[rig.name], reply_timeout_s=within_s or _FOR_EVER_S
                )
            except RigctlError as error:
                errors[rig.name] = error
    finally:
        for rig in reachable:  # what is packed for all goes out in a row
            rig.hold(False)
    try:
        results = await outcomes(list(tickets.values()))
    finally:
        for rig in rigs:
            if rig.name in tickets:
                rig.forget(tickets[rig.name])
    results_of = dict(zip(tickets, results, strict=True))
    errors |= {name: r for name, r in results_of.items() if isinstance(r, Exception)}
    return {name: r for name, r in results_of.items() if isinstance(r, Message)}, errors


def message_for(messages: Messages, name: str) -> Message:
    """Return what one rig is told.

    Raises:
        KeyError: there is no message for it.
    """
    if isinstance(messages, Message):
        return messages
    return messages[name] if isinstance(messages, Mapping) else messages(name)


async def _open(rigs: Sequence[EchoProtocol]) -> dict[str, Exception]:
    """Open the ways that are not open; at once, so that one dead rig delays no other."""
    closed = [rig for rig in rigs if not rig.is_connected]
    opened = await asyncio.gather(*(rig.open() for rig in closed), return_exceptions=True)
    errors: dict[str, Exception] = {}
    for rig, result in zip(closed, opened, strict=True):
        if isinstance(result, Unreachable):
            errors[rig.name] = result
        elif isinstance(result, BaseException):
            raise result
    return errors
