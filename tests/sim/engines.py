"""The seam between the simulation and the engine: what makes one, and what its outputs mean.

Whatever the engine learns to say is to be handled here, and only here.
"""

import itertools
import random
from collections.abc import Iterable, Mapping
from typing import Protocol

from rigctl.net.context import Context, Identity
from rigctl.net.echo import Dialect, Echo
from rigctl.net.inputs import Now
from rigctl.net.memory import Memory
from rigctl.net.outputs import (
    Answered,
    Begun,
    Confirmed,
    Delivered,
    Mangled,
    MessageId,
    Output,
    Rejected,
    Stored,
    Transmit,
    Unconfirmed,
)
from rigctl.net.seal import Seal

from .plans import Plan

WALL_S = 1.7e9
NOTHING: Mapping[MessageId, bytes | None] = {}


class Killed(Exception):
    """The process ends here: nothing of what it was about to do is done."""


class Process(Protocol):
    """A desk's or a rig's process: what an engine's outputs are carried out upon."""

    def step(self) -> None:
        """One more thing is about to be done; raises `Killed` where that is when it ends."""

    def transmit(self, peer: object, data: bytes) -> None: ...

    def deliver(self, peer: object, delivered: Delivered) -> None: ...

    def settle(self, ticket: int, output: Output) -> None: ...

    def remember(self, id: MessageId, answer: bytes | None) -> None:
        """Write to the disk that a command is begun, or its answer."""

    def reject(self) -> None:
        """Bytes came that nobody who may speak here has sent so."""


def new_context(
    epoch: str, plan: Plan, disk: Mapping[MessageId, bytes | None] = NOTHING
) -> Context:
    """Return what the engines of one process share; `disk`: what those before it remembered."""
    memory = Memory()
    memory.restore(disk.items())
    sessions = (f"{epoch}-session-{number}" for number in itertools.count())
    return Context(
        Identity(epoch),
        memory=memory,
        seal=Seal(plan.key) if plan.key else None,
        dice=random.Random(plan.seed),
        new_session=sessions.__next__,
    )


def new_engine(context: Context, *, asks: bool) -> Echo:
    return Echo(context, Dialect.AUTO, asks=asks)


def carry_out(process: Process, peer: object, outputs: Iterable[Output]) -> None:
    """Do what an engine says, one thing after the other, as the communicator does."""
    for output in outputs:
        process.step()
        match output:
            case Transmit(data):
                process.transmit(peer, data)
            case Begun(id):
                process.remember(id, None)
            case Stored(id, answer):
                process.remember(id, answer)
            case Rejected():
                process.reject()
            case Delivered():
                process.deliver(peer, output)
            case Confirmed(ticket) | Unconfirmed(ticket) | Mangled(ticket) | Answered(ticket):
                process.settle(ticket, output)


def instant(time: float) -> Now:
    return Now(time, WALL_S + time)
