"""A desk's process on the simulated network: callers, each with a deadline, and their tickets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rigctl.messages import ERROR, Event, Message
from rigctl.net.inputs import Command
from rigctl.net.numbered import UNKNOWN_OUTCOME
from rigctl.net.outputs import (
    Answered,
    Confirmed,
    Delivered,
    Mangled,
    MessageId,
    Output,
    Unconfirmed,
)

from .engines import carry_out, instant, new_context, new_engine

if TYPE_CHECKING:
    from rigctl.net.echo import Echo

    from .world import World


@dataclass
class Call:
    """A command and what its caller is told of it."""

    tag: str
    """Names the command; its effect and its answer bear it."""
    rig: str
    deadline: float
    """When its caller knows how it is, at the latest."""
    within_s: float
    outcome: str = ""
    told_at: float = 0.0
    confirmed: bool = False

    @property
    def is_open(self) -> bool:
        return not self.outcome


class Desk:
    """One process: it ends with `Killed`, and another one is made.

    Args:
        world: the network and the clock.
        life: counts the desk's processes; each has its own addresses and its own epochs.
    """

    def __init__(self, world: World, life: int) -> None:
        self.world = world
        self.name = f"desk-{life}"
        self.calls: dict[int, Call] = {}
        self._tickets = itertools.count(1)
        self.engines: dict[str, Echo] = {
            rig: new_engine(new_context(f"{self.name}-{rig}", world.plan), asks=True)
            for rig in world.plan.rigs
        }

    def call(self, call: Call, timeout_s: float) -> None:
        """Send a command; its caller waits for the echo, then for the answer."""
        ticket = next(self._tickets)
        self.calls[ticket] = call
        message = Message(Event.EXPSTART, (call.tag, None))
        command = Command(ticket, message, timeout_s, call.within_s)
        self._do(call.rig, self.engines[call.rig].send(instant(self.world.time), command))

    def receive(self, rig: str, data: bytes) -> None:
        self._do(rig, self.engines[rig].receive(instant(self.world.time), data))

    def next_wakeup(self) -> float:
        return min(engine.next_wakeup() for engine in self.engines.values())

    def poll(self) -> None:
        for rig, engine in self.engines.items():
            if engine.next_wakeup() <= self.world.time:
                self._do(rig, engine.poll(instant(self.world.time)))

    def die(self) -> None:
        """Whoever waited here is gone with the process."""
        for call in self.calls.values():
            if call.is_open:
                self._tell(call, "lost")

    def _do(self, rig: str, outputs: list[Output]) -> None:
        carry_out(self, rig, outputs)

    def step(self) -> None:
        self.world.step("desk")

    def transmit(self, peer: object, data: bytes) -> None:
        assert isinstance(peer, str)
        self.world.to_rig(self.name, peer, data)

    def deliver(self, peer: object, delivered: Delivered) -> None:
        """Every answer is delivered to callbacks, too: nobody listens here."""

    def remember(self, id: MessageId, answer: bytes | None) -> None:
        """A desk is told nothing that it would have to remember."""

    def reject(self) -> None:
        self.world.rejected += 1

    def settle(self, ticket: int, output: Output) -> None:
        """Take what the engine says of a command, as a caller's ticket does."""
        call = self.calls[ticket]
        match output:
            case Confirmed():
                call.confirmed = True
                self.world.after(call.within_s, lambda: self._give_up(ticket, call))
            case Answered(_, message):
                self._end(ticket, _outcome_of(message, call.tag))
            case Unconfirmed():
                self._end(ticket, "no echo")
            case Mangled():
                self._end(ticket, "error: mangled")

    def _give_up(self, ticket: int, call: Call) -> None:
        if call.is_open:
            self._end(ticket, "no reply")

    def _end(self, ticket: int, outcome: str) -> None:
        """Nobody waits for this command any more."""
        call = self.calls[ticket]
        self.engines[call.rig].forget(ticket)
        self._tell(call, outcome)

    def _tell(self, call: Call, outcome: str) -> None:
        if call.is_open:
            call.outcome, call.told_at = outcome, self.world.time
            self.world.note(f"{self.name}: {call.tag}: {outcome}")


def _outcome_of(message: Message, tag: str) -> str:
    if message.event is ERROR:
        text = str(message.args[0])
        if text.startswith(UNKNOWN_OUTCOME):
            return "unknown"
        return "error" if text.endswith(tag) else f"another's error: {text}"
    return "result" if message.args[0] == tag else f"another's result: {message.args}"
