"""Rigs that live by the daemon's own table of states, without its sources and files."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from rigctl.daemon.command import Command
from rigctl.daemon.states import CLEANUP, END, INIT, INTERRUPT, START, State, after, plan
from rigctl.daemon.tokens import Tokens
from rigctl.errors import RigctlError
from rigctl.messages import Event, ExpRef, Message

from .rigs import ScriptedRig, rigs, saying


class Life:
    """One rig's state, whose it is, and what goes wrong with it."""

    def __init__(self) -> None:
        self.state = State()
        self.owner = ""
        self.broken: dict[Event, Exception] = {}
        self.tokens = Tokens()

    @property
    def status(self) -> str:
        return self.state.status.name

    def script(self) -> dict[Event, Any]:
        commands = {event: self.carry_out for event in (INIT, START, END, CLEANUP, INTERRUPT)}
        return {Event.EXPINFO: self.say, **commands}

    def say(self, message: Message) -> list[Any]:
        return saying(self.status, str(self.state.exp_ref) if self.state.exp_ref else None)

    def carry_out(self, message: Message) -> Any:
        data = message.args[-1] if isinstance(message.args[-1], dict) else {}
        named = message.args[0] if message.event is START else data.get("exp_ref")
        ref = ExpRef.parse(named) if named else None
        command = Command(message.event, ref, data)
        try:
            self.tokens.hear(command, self.owner, idle=self.status == "CONNECTED")
            self.tokens.check(command)
            for step in plan(self.state, message.event, ref):
                if step in self.broken:
                    return self.broken[step]
                self.owner = data["by"] if step in (INIT, START) else self.owner
                self.state = after(self.state, step, ref)
        except RigctlError as error:
            return error
        return list(message.args)


@contextlib.asynccontextmanager
async def living(*names: str) -> AsyncIterator[tuple[dict[str, ScriptedRig], dict[str, Life]]]:
    """Serve living rigs; yield them and their lives."""
    lives = {name: Life() for name in names}
    async with rigs({name: life.script() for name, life in lives.items()}) as served:
        yield served, lives


def statuses(lives: Mapping[str, Life]) -> dict[str, str]:
    return {name: life.status for name, life in lives.items()}


def commands(rig: ScriptedRig, since: int = 0) -> list[Event]:
    """Return what changes something of what a rig was told."""
    return [
        m.event for m in rig.heard[since:] if m.event in (INIT | START | END | CLEANUP | INTERRUPT)
    ]
