"""What a start that fails or is cancelled undoes: what it changed itself, and nothing else."""

import asyncio

import pytest

from rigctl.controller import Desk
from rigctl.errors import RigsFailed
from rigctl.messages import Event, ExpRef

from .rigs import Asked, data_of, lab_of, refusing, rigs, saying

REF = ExpRef.parse("2024-01-01_1_subject")
UNDONE = [Event.EXPINTERRUPT, Event.EXPCLEANUP]
FAILING = {Event.EXPINFO: saying(), Event.EXPSTART: refusing("no sample")}
ANOTHERS = refusing("this was begun by another controller and is left alone")


def undone(rig):
    return [event for event in rig.events if event in UNDONE]


async def failed_start(tmp_path, **scripts):
    """Start on these rigs; return the error and the rigs."""
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        with pytest.raises(RigsFailed) as caught:
            await desk.start(REF)
    return str(caught.value), served


async def test_all_that_a_start_begins_and_undoes_bears_the_same_token(tmp_path):
    _, served = await failed_start(tmp_path, good={Event.EXPINFO: saying()}, bad=FAILING)
    events = (Event.EXPINIT, Event.EXPSTART, *UNDONE)
    init, start, interrupt, cleanup = (data_of(served["good"], event) for event in events)
    assert init["exp_ref"] == str(REF)
    assert len(init["by"]) == 16
    assert init["by"] == start["by"] == interrupt["by"] == cleanup["by"]
    assert interrupt["abandon"] == cleanup["abandon"] == "rolled back: because of bad"


async def test_two_desks_have_two_tokens(tmp_path):
    async with rigs({"a": {Event.EXPINFO: saying("RUNNING", str(REF))}}) as served:
        for _ in range(2):
            async with Desk(lab_of(tmp_path, served)) as desk:
                await desk.start(REF)
    tokens = [m.args[0]["by"] for m in served["a"].heard if m.event is Event.EXPINIT]
    assert len(set(tokens)) == 2


@pytest.mark.parametrize("status", ["CONNECTED", "STOPPED"])
async def test_a_rig_that_refuses_init_is_not_touched(tmp_path, status):
    text, served = await failed_start(
        tmp_path,
        other={Event.EXPINFO: saying(status), Event.EXPINIT: refusing("exists already")},
        good={Event.EXPINFO: saying()},
    )
    assert served["other"].events == [Event.EXPINFO, Event.EXPINIT]
    assert text.endswith("rolled back: good")


async def test_a_rig_that_was_initialised_before_and_fails_start_is_not_touched(tmp_path):
    ready = {Event.EXPINFO: saying("INITIALIZED", str(REF)), Event.EXPSTART: refusing("no sample")}
    text, served = await failed_start(tmp_path, ready=ready)
    assert undone(served["ready"]) == []
    assert text.endswith("no rig was changed")


async def test_a_rig_that_was_initialised_before_and_starts_is_undone(tmp_path):
    ready = {Event.EXPINFO: saying("INITIALIZED", str(REF))}
    _, served = await failed_start(tmp_path, ready=ready, bad=FAILING)
    assert undone(served["ready"]) == UNDONE


@pytest.mark.parametrize("event", [Event.EXPINIT, Event.EXPSTART])
async def test_a_rig_whose_result_is_unknown_is_undone(tmp_path, event):
    text, served = await failed_start(tmp_path, mute={Event.EXPINFO: saying(), event: ...})
    assert "did not reply" in text
    assert undone(served["mute"]) == UNDONE
    assert text.endswith("rolled back: mute")


async def test_a_rig_that_refuses_to_be_undone_is_told_as_left_alone(tmp_path):
    theirs = {Event.EXPINFO: saying(), Event.EXPINTERRUPT: ANOTHERS}
    text, served = await failed_start(tmp_path, theirs=theirs, bad=FAILING)
    assert "left alone: theirs: this was begun by another controller" in text
    assert "rolled back: bad" in text
    assert "NOT" not in text
    assert undone(served["theirs"]) == [Event.EXPINTERRUPT]


async def test_a_rig_that_fails_to_be_undone_is_told_so(tmp_path):
    broken = {Event.EXPINFO: saying(), Event.EXPCLEANUP: RuntimeError("the door is stuck")}
    text, _ = await failed_start(tmp_path, broken=broken, bad=FAILING)
    assert "NOT rolled back: broken: RuntimeError: the door is stuck" in text


async def cancelled_start(tmp_path, scripts, asked):
    """Cancel a start when a rig is asked something; return what the desk says of it."""
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        start = asyncio.create_task(desk.start(REF))
        await asked.happened.wait()
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
    return desk.undone, served


@pytest.mark.parametrize("event", [Event.EXPINIT, Event.EXPSTART])
async def test_a_start_that_is_cancelled_is_undone(tmp_path, event):
    asked = Asked(...)
    told, served = await cancelled_start(
        tmp_path, {"a": {Event.EXPINFO: saying(), event: asked}}, asked
    )
    assert told == "rolled back: a"
    assert undone(served["a"]) == UNDONE


async def test_a_start_that_is_cancelled_at_its_last_question_is_undone(tmp_path):
    asked = Asked(saying(), ...)
    told, served = await cancelled_start(tmp_path, {"a": {Event.EXPINFO: asked}}, asked)
    assert told == "rolled back: a"
    assert undone(served["a"]) == UNDONE


async def test_a_start_that_is_cancelled_at_its_first_question_changes_nothing(tmp_path):
    asked = Asked(...)
    told, served = await cancelled_start(tmp_path, {"a": {Event.EXPINFO: asked}}, asked)
    assert told == "nothing was begun"
    assert served["a"].events == [Event.EXPINFO]


async def test_a_roll_back_is_brought_to_its_end_although_it_is_cancelled(tmp_path):
    asked = Asked(...)
    good = {Event.EXPINFO: saying(), Event.EXPINTERRUPT: asked}
    told, served = await cancelled_start(tmp_path, {"good": good, "bad": FAILING}, asked)
    assert undone(served["good"]) == UNDONE
    assert told.startswith("rolled back: bad; NOT rolled back: good: ")


async def test_an_optional_rig_that_refuses_init_is_gone_on_without_and_not_touched(tmp_path):
    scripts = {
        "a": {Event.EXPINFO: saying()},
        "other": {Event.EXPINFO: saying(), Event.EXPINIT: refusing("stop it first")},
    }
    async with rigs(scripts) as served:
        async with Desk(lab_of(tmp_path, served, other=False)) as desk:
            await desk.start(REF)
    assert served["a"].events == [64, 1, 2, 64]
    assert served["other"].events == [64, 1, 64]
