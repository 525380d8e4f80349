"""^C in the middle of a command: what was told is said, and what ends something is ended."""

import asyncio
import signal
from dataclasses import replace

import pytest

from rigctl.cli.carrying import carry_out
from rigctl.cli.interrupts import Interrupt
from rigctl.controller import Desk
from rigctl.errors import RigsFailed
from rigctl.messages import Event, ExpRef
from tests.controller.rigs import lab_of, refusing, rigs, saying

REF = ExpRef.parse("2024-01-01_1_subject")
IDLE = {Event.EXPINFO: saying()}


def lab(tmp_path, served):
    return replace(lab_of(tmp_path, served), stop_last=("last",), go_after_s=0.01)


class Gate:
    """Answers what a rig is told only once something was said on the terminal."""

    def __init__(self):
        self.told, self.open = asyncio.Event(), asyncio.Event()
        self.said = ""

    def print(self, text, **_):
        self.said = text
        self.open.set()

    async def __call__(self, message):
        self.told.set()
        await self.open.wait()
        return list(message.args)


async def interrupted(tmp_path, monkeypatch, event, command, *, to_its_end, number=signal.SIGINT):
    """Interrupt a command while the first group of rigs is busy with it."""
    gate, interrupt = Gate(), Interrupt()
    monkeypatch.setattr("rigctl.cli.carrying.err", gate)
    scripts = {"first": IDLE | {event: gate}, "last": IDLE}
    async with rigs(scripts) as served, Desk(lab(tmp_path, served)) as desk:
        carrying = asyncio.create_task(
            carry_out(desk, command, interrupt, to_its_end=to_its_end), name="carrying"
        )
        await gate.told.wait()
        interrupt.number = number
        interrupt.came.set()
        return await carrying, served, gate.said


@pytest.mark.parametrize(
    ("event", "command"), [(Event.EXPEND, Desk.stop), (Event.EXPCLEANUP, Desk.cleanup)]
)
async def test_what_ends_something_is_brought_to_its_end(tmp_path, monkeypatch, event, command):
    outcome, served, said = await interrupted(
        tmp_path, monkeypatch, event, command, to_its_end=True
    )
    assert (outcome.error, outcome.code) == (None, 0)
    assert event in served["last"].events
    assert said.startswith("^C: going on to its end; once more breaks it off")
    assert said.endswith("(told: first; not told: last)")


async def test_what_begins_something_is_broken_off(tmp_path, monkeypatch):
    outcome, _, said = await interrupted(
        tmp_path,
        monkeypatch,
        Event.EXPINIT,
        lambda desk: desk.init(REF),
        to_its_end=False,
        number=signal.SIGTERM,
    )
    assert (outcome.error, outcome.code) == (None, 143)
    assert outcome.report.rigs.keys() == {"first", "last"}
    assert said == (
        "SIGTERM: broken off; `rigctl resume` brings them to one state (told: first, last)"
    )


async def test_without_an_interrupt_nothing_is_said_but_what_failed(tmp_path, capsys):
    scripts = {"first": IDLE | {Event.EXPEND: refusing("the door is stuck")}, "last": IDLE}
    async with rigs(scripts) as served, Desk(lab(tmp_path, served)) as desk:
        outcome = await carry_out(desk, Desk.stop, Interrupt(), to_its_end=True)
    assert isinstance(outcome.error, RigsFailed)
    assert outcome.report.rigs.keys() == {"first", "last"}
    assert capsys.readouterr().err == ""
