"""The whole life of a session, against rigs that answer what they are told to."""

import asyncio
import signal

import pytest

from rigctl.cli.interrupts import Interrupt
from rigctl.cli.run import _session
from rigctl.controller import Desk
from rigctl.errors import RigsFailed
from rigctl.messages import Event, ExpRef
from tests.controller.rigs import Asked, lab_of, refusing, rigs, saying

REF = ExpRef.parse("2024-01-01_1_subject")
RUNNING = {Event.EXPINFO: saying("RUNNING", str(REF))}
ENDED = [Event.EXPEND, Event.EXPINFO, Event.EXPCLEANUP]


async def run(tmp_path, scripts, interrupt=None, duration_s=0.01):
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        outcome = await _session(desk, REF, duration_s, interrupt or Interrupt())
    return outcome, served


async def test_a_session_is_started_stopped_reported_and_sealed(tmp_path):
    outcome, served = await run(tmp_path, {"a": RUNNING})
    assert (outcome.error, outcome.code) == (None, 0)
    assert outcome.report.rigs["a"].exp_ref == str(REF)
    assert served["a"].events[:3] == [Event.EXPINFO, Event.EXPINIT, Event.EXPSTART]
    assert served["a"].events[-3:] == ENDED


async def test_a_rig_that_fails_at_stop_keeps_none_from_being_sealed(tmp_path):
    scripts = {"bad": RUNNING | {Event.EXPEND: refusing("the door is stuck")}, "good": RUNNING}
    outcome, served = await run(tmp_path, scripts)
    assert isinstance(outcome.error, RigsFailed)
    assert str(outcome.error) == "bad: Refused: the door is stuck"
    assert outcome.report.rigs.keys() == {"bad", "good"}
    assert served["good"].events[-3:] == served["bad"].events[-3:] == ENDED


async def test_a_rig_that_fails_at_both_ends_is_told_once_and_others_beside_it(tmp_path):
    scripts = {
        "a": RUNNING | {Event.EXPEND: refusing("no"), Event.EXPCLEANUP: refusing("never")},
        "b": RUNNING | {Event.EXPCLEANUP: refusing("not sealed")},
    }
    outcome, _ = await run(tmp_path, scripts)
    assert str(outcome.error) == "a: Refused: no\nb: Refused: not sealed"


async def test_what_does_not_run_after_start_is_ended_at_once_and_told(tmp_path):
    scripts = {"a": RUNNING, "idle": {Event.EXPINFO: saying("STOPPED", str(REF))}}
    outcome, served = await run(tmp_path, scripts, duration_s=None)
    assert "idle: it was started, but is not RUNNING" in str(outcome.error)
    assert served["a"].events[-3:] == ENDED


async def interrupted(tmp_path, asked, script, number, duration_s=None):
    """Run until a rig is asked something, then interrupt."""
    interrupt = Interrupt()
    running = asyncio.create_task(run(tmp_path, {"a": script}, interrupt, duration_s))
    await asked.happened.wait()
    interrupt.number = number
    interrupt.came.set()
    return await running


async def test_an_interrupt_of_the_start_undoes_it_and_says_what_came_of_that(tmp_path, capsys):
    asked = Asked(...)
    script = {Event.EXPINFO: saying(), Event.EXPSTART: asked}
    outcome, served = await interrupted(tmp_path, asked, script, signal.SIGTERM)
    assert outcome.code == 143
    assert "SIGTERM: rolled back: a\n" in capsys.readouterr().err
    assert served["a"].events[-3:] == [Event.EXPINTERRUPT, Event.EXPCLEANUP, Event.EXPINFO]


async def test_an_interrupt_of_the_question_after_the_start_undoes_it(tmp_path, capsys):
    asked = Asked(saying(), ...)
    script = {Event.EXPINFO: asked, Event.EXPINTERRUPT: refusing("it is another's")}
    outcome, _ = await interrupted(tmp_path, asked, script, signal.SIGINT)
    assert outcome.code == 130
    assert "^C: left alone: a: it is another's\n" in capsys.readouterr().err


async def test_an_interrupt_while_it_records_stops_and_seals(tmp_path):
    asked = Asked(*[RUNNING[Event.EXPINFO]] * 3)
    outcome, served = await interrupted(tmp_path, asked, {Event.EXPINFO: asked}, signal.SIGINT)
    assert (outcome.error, outcome.code) == (None, 0)
    assert served["a"].events[-3:] == ENDED


async def test_a_rig_that_stops_half_way_is_told_and_fails_what_goes_on_without_it(
    tmp_path, capsys
):
    leaving = Asked(*[RUNNING[Event.EXPINFO]] * 2, saying("CONNECTED"))
    outcome, served = await run(
        tmp_path, {"a": RUNNING, "b": {Event.EXPINFO: leaving}}, duration_s=0.6
    )
    text = f"b: it was started, but is not RUNNING with {REF}: it is CONNECTED"
    assert str(outcome.error) == text
    assert capsys.readouterr().err.count(text) == 1
    assert served["a"].events[-3:] == ENDED


async def test_a_run_without_any_rig_that_runs_ends_early(tmp_path, capsys):
    leaving = Asked(*[RUNNING[Event.EXPINFO]] * 2, saying("STOPPED", str(REF)))
    outcome, served = await run(tmp_path, {"a": {Event.EXPINFO: leaving}}, duration_s=3600)
    assert "it is STOPPED" in str(outcome.error)
    assert "no rig records any more: ending early\n" in capsys.readouterr().err
    assert served["a"].events[-3:] == ENDED


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupt_before_its_time_is_over_tells_so_by_the_exit_code(
    tmp_path, number, code
):
    asked = Asked(*[RUNNING[Event.EXPINFO]] * 3)
    outcome, served = await interrupted(tmp_path, asked, {Event.EXPINFO: asked}, number, 3600)
    assert (outcome.error, outcome.code) == (None, code)
    assert served["a"].events[-3:] == ENDED
