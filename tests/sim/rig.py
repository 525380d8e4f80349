"""A rig's process on the simulated network: an application that counts what it does, and a disk."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rigctl.messages import ERROR, Message
from rigctl.net.inputs import Answer
from rigctl.net.outputs import Delivered, MessageId, Output

from .engines import carry_out, instant, new_context, new_engine

if TYPE_CHECKING:
    from rigctl.net.echo import Echo

    from .world import World

ANSWER_S = 30.0


@dataclass
class Disk:
    """What outlives a rig's processes."""

    commands: dict[MessageId, bytes | None] = field(default_factory=dict)
    """The ledger: each command that was begun, and its answer if it has one."""
    effects: Counter[str] = field(default_factory=Counter)
    """What was really done: how often for each command's tag."""


class Rig:
    """One process: it ends with `Killed`, and another one is made on the same disk.

    Args:
        world: the network and the clock.
        name: the rig's.
        life: counts the rig's processes; each has an epoch of its own.
        disk: what the processes before have left.
    """

    def __init__(self, world: World, name: str, life: int, disk: Disk) -> None:
        self.world = world
        self.name = name
        self.disk = disk
        self.context = new_context(f"{name}-{life}", world.plan, disk.commands)
        self.engines: dict[str, Echo] = {}
        self._tickets = itertools.count(1)
        self._alive = True

    def receive(self, desk: str, data: bytes) -> None:
        engine = self.engines.get(desk)
        if engine is None:
            engine = self.engines[desk] = new_engine(self.context, asks=False)
        self._do(desk, engine.receive(instant(self.world.time), data))

    def next_wakeup(self) -> float:
        return min((e.next_wakeup() for e in self.engines.values()), default=float("inf"))

    def poll(self) -> None:
        for desk, engine in self.engines.items():
            if engine.next_wakeup() <= self.world.time:
                self._do(desk, engine.poll(instant(self.world.time)))

    def die(self) -> None:
        """What it was about to answer is never answered by it."""
        self._alive = False

    def _do(self, desk: str, outputs: list[Output]) -> None:
        carry_out(self, desk, outputs)

    def step(self) -> None:
        self.world.step(self.name)

    def transmit(self, peer: object, data: bytes) -> None:
        assert isinstance(peer, str)
        self.world.to_desk(peer, self.name, data)

    def deliver(self, peer: object, delivered: Delivered) -> None:
        """Do what a command says, at once, and answer it after a while."""
        assert isinstance(peer, str)
        tag = str(delivered.message.args[0])
        self.disk.effects[tag] += 1
        self.world.note(f"{self.name}: does {tag}")
        self.world.after(self.world.work_s(), lambda: self._answer(peer, delivered))

    def remember(self, id: MessageId, answer: bytes | None) -> None:
        self.disk.commands[id] = answer

    def reject(self) -> None:
        self.world.rejected += 1

    def settle(self, ticket: int, output: Output) -> None:
        """Nobody waits for an answer's echo."""

    def _answer(self, desk: str, delivered: Delivered) -> None:
        if not self._alive:
            return
        message = delivered.message
        tag = str(message.args[0])
        if tag.endswith("fails"):
            message = Message(ERROR, (f"RuntimeError: {tag}", int(message.event)))
        answer = Answer(next(self._tickets), message, delivered.id, ANSWER_S)
        self._do(desk, self.engines[desk].answer(instant(self.world.time), answer))
