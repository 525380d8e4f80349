"""One instant for many rigs, each told in its own clock.

From: the clock offsets that echoes tell.  To: the data of commands.

All of a lab's communicators share one clock, the controller's; a rig's clock is that plus the
rig's offset.  Rigs of the predecessor's dialect tell no clock, and get no instant.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from rigctl.errors import NoReply, RigctlError
from rigctl.messages import Json, Status
from rigctl.net import EchoProtocol, verbs
from rigctl.net.echo import Dialect

log = logging.getLogger(__name__)

_PROBES = 4
"""How many quick exchanges a rig's offset is measured with before an instant is set."""

_PROBES_WITHIN_S = 1.0
"""How long they may take in all, on the slowest way."""

_ANSWER_S = 0.2
"""How long the answer of a rig that is met is waited for, after its echo."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment that lies ahead."""

    clock_s: float
    """In seconds of the controller's clock."""
    lead_s: float
    """How far ahead it lay when it was set."""

    def of(self, rig: EchoProtocol) -> dict[str, Json]:
        """Return it as the data of a command, in the rig's clock; empty where that is not known."""
        offset = rig.clock_offset
        return {"at": self.clock_s + offset.offset_s} if offset else {}


def set_instant(rigs: Iterable[EchoProtocol], ahead_s: float) -> Instant | None:
    """Set an instant so far ahead that a message reaches every rig before it.

    Args:
        rigs: which ones it is for.
        ahead_s: how far ahead it lies beside the largest round trip.

    Returns:
        The instant, or None if none of the rigs has told its clock.
    """
    known = [(rig, offset) for rig in rigs if (offset := rig.clock_offset)]
    if not known:
        return None
    lead_s = ahead_s + max(offset.round_trip_s for _, offset in known)
    return Instant(known[0][0].clock.now().clock + lead_s, lead_s)


async def probe(rigs: Iterable[EchoProtocol]) -> None:
    """Measure the offsets of rigs' clocks anew, all rigs at once; one that fails is passed over."""
    await asyncio.gather(*map(_measure, rigs))


async def _measure(rig: EchoProtocol) -> None:
    try:
        async with asyncio.timeout(_PROBES_WITHIN_S):
            if rig.dialect is Dialect.AUTO:
                await _meet(rig)
            if rig.dialect is Dialect.RIGCTL:
                for _ in range(_PROBES):  # one after the other: none waits behind another
                    await rig.status(Status.CONNECTED)
    except (RigctlError, TimeoutError) as error:
        log.debug("the clock of %s cannot be measured: %s", rig.name, error)


async def _meet(rig: EchoProtocol) -> None:
    """Find out how a rig is spoken to.

    One of the predecessor's may answer with a message of its own, and takes what crosses it for a
    false echo: hence the wait.
    """
    with contextlib.suppress(NoReply):
        await rig.request(verbs.status_message(Status.CONNECTED), timeout_s=_ANSWER_S)
