"""Rigs without a daemon: real sockets, scripted answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from rigctl.address import Address
from rigctl.config import Lab, RigEntry
from rigctl.config.lab import Timeouts
from rigctl.errors import Refused
from rigctl.messages import Event, Message
from rigctl.net import EchoProtocol, verbs
from rigctl.net.clock import RigClock
from rigctl.net.inputs import Now
from rigctl.net.station import Station

Script = Callable[[Message], Any]


class ScriptedRig:
    """Answers each event with what its script returns; an exception is an error, `...` silence."""

    def __init__(self, server: EchoProtocol, script: dict[Event, Any]) -> None:
        self.server = server
        self.script = script
        self.heard: list[Message] = []

    @property
    def events(self) -> list[Event]:
        """All that it was told, but for the quick probes of its clock."""
        return [m.event for m in self.heard if m.event is not Event.EXPSTATUS]

    async def run(self) -> None:
        async for request in self.server.requests():
            message = request.message
            self.heard.append(message)
            answer = self.script.get(message.event, list(message.args))
            answer = answer(message) if callable(answer) else answer
            answer = await answer if asyncio.iscoroutine(answer) else answer
            if answer is ...:
                continue
            if isinstance(answer, Exception):
                self.server.answer(request, verbs.error_message(answer, message.event))
            else:
                self.server.answer(request, Message(message.event, tuple(answer)))


class Ahead(RigClock):
    """A clock that is so many seconds ahead of this computer's."""

    def __init__(self, ahead_s: float) -> None:
        super().__init__()
        self.ahead_s = ahead_s

    def now(self) -> Now:
        now = super().now()
        return Now(now.monotonic, now.clock + self.ahead_s)


class Asked:
    """Answers with one value after the other, the last one again and again; tells of that one."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.happened = asyncio.Event()

    def __call__(self, message: Message) -> Any:
        if len(self.answers) > 1:
            return self.answers.pop(0)
        self.happened.set()
        return self.answers[0]


def saying(
    status: str = "CONNECTED", exp_ref: str | None = None, main_sync: bool = False
) -> list[Any]:
    """Return a script's answer to EXPINFO."""
    report = {"status": status, "exp_ref": exp_ref, "conditions": [], "path": None, "streams": {}}
    return [0, {"exp_ref": exp_ref, "main_sync": main_sync, "report": report}]


def refusing(text: str) -> Refused:
    return Refused(text)


@contextlib.asynccontextmanager
async def rigs(
    scripts: dict[str, dict[Event, Any]], scheme: str = "udp", **clocks: RigClock
) -> AsyncIterator[dict[str, ScriptedRig]]:
    """Serve scripted rigs by name, some with a clock of their own."""
    found = {}
    for name, script in scripts.items():
        station = replace(Station.new(), clock=clocks.get(name, RigClock()))
        address = Address.parse(f"{scheme}://127.0.0.1:0", any_port=True)
        server = EchoProtocol(address, "server", name=name, station=station)
        await server.listen()
        found[name] = ScriptedRig(server, script)
    tasks = [asyncio.create_task(rig.run()) for rig in found.values()]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for rig in found.values():
            rig.server.close()


def lab_of(tmp_path: Any, served: dict[str, ScriptedRig], **optional: bool) -> Lab:
    entries = {
        name: RigEntry(name, rig.server.address, required=optional.get(name, True))
        for name, rig in served.items()
    }
    return Lab("test", tmp_path / "lab.yaml", entries, Timeouts(echo_s=0.5, reply_s=0.5))


def data_of(rig: ScriptedRig, event: Event) -> Any:
    """Return the data of the first command of an event that a rig has heard."""
    return next(message.args[-1] for message in rig.heard if message.event is event)
