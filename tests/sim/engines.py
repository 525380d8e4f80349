"""The seam between the simulation and the engine: what makes one, and what its outputs mean.

Whatever the engine learns to say is to be handled here, and only here.
"""

import random
from collections.abc import Iterable
from typing import Protocol

from rigctl.net.echo import Dialect, Echo
from rigctl.net.inputs import Now
from rigctl.net.numbered import Context, Identity
from rigctl.net.outputs import (
    Answered,
    Confirmed,
    Delivered,
    Mangled,
    Output,
    Transmit,
    Unconfirmed,
)

WALL_S = 1.7e9

UNKNOWN = "Unknown"
"""How the error begins that says that nobody knows what came of a command."""


class Killed(Exception):
    """The process ends here: nothing of what it was about to do is done."""


class Process(Protocol):
    """A desk's or a rig's process: what an engine's outputs are carried out upon."""

    def step(self) -> None:
        """One more thing is about to be done; raises `Killed` where that is when it ends."""

    def transmit(self, peer: object, data: bytes) -> None: ...

    def deliver(self, peer: object, delivered: Delivered) -> None: ...

    def settle(self, ticket: int, output: Output) -> None: ...


def new_context(epoch: str, seed: int) -> Context:
    """What the engines of one process share."""
    return Context(Identity(epoch), dice=random.Random(seed))


def new_engine(context: Context, *, asks: bool) -> Echo:
    return Echo(context, Dialect.AUTO, asks=asks)


def carry_out(process: Process, peer: object, outputs: Iterable[Output]) -> None:
    """Do what an engine says, one thing after the other, as the communicator does."""
    for output in outputs:
        process.step()
        match output:
            case Transmit(data):
                process.transmit(peer, data)
            case Delivered():
                process.deliver(peer, output)
            case Confirmed(ticket) | Unconfirmed(ticket) | Mangled(ticket) | Answered(ticket):
                process.settle(ticket, output)


def instant(time: float) -> Now:
    return Now(time, WALL_S + time)
