"""The two phases of a start: all rigs are armed before any begins, and begin at one instant."""

import asyncio
from dataclasses import replace

import pytest

from rigctl.controller import Desk
from rigctl.errors import RigsFailed
from rigctl.messages import Event, ExpRef

from .rigs import Ahead, data_of, lab_of, refusing, rigs, saying

REF = ExpRef.parse("2024-01-01_1_subject")
READY = {Event.EXPINFO: saying()}
UNDONE = [Event.EXPINTERRUPT, Event.EXPCLEANUP]


def lab(tmp_path, served, **changes):
    optional = changes.pop("optional", {})
    return replace(lab_of(tmp_path, served, **optional), go_after_s=0.05, **changes)


async def started(tmp_path, scripts, **changes):
    async with rigs(scripts) as served, Desk(lab(tmp_path, served, **changes)) as desk:
        await desk.start(REF)
    return served


async def test_every_rig_is_armed_before_any_is_told_to_go(tmp_path):
    told = []

    def note(name):
        def answer(message):
            told.append((message.event, name))
            return list(message.args)

        return READY | {Event.EXPINIT: note_slowly(answer), Event.EXPSTART: answer}

    def note_slowly(answer):
        async def arm(message):
            await asyncio.sleep(0)
            return answer(message)

        return arm

    served = await started(tmp_path, {name: note(name) for name in "abc"})
    assert {event for event, _ in told[:3]} == {Event.EXPINIT}
    assert {event for event, _ in told[3:]} == {Event.EXPSTART}
    assert all(data_of(rig, Event.EXPINIT)["arm"] is True for rig in served.values())


async def test_a_rig_that_was_initialised_before_is_armed_and_one_that_runs_is_not(tmp_path):
    ready = {Event.EXPINFO: saying("INITIALIZED", str(REF))}
    runs = {Event.EXPINFO: saying("RUNNING", str(REF))}
    served = await started(tmp_path, {"ready": ready, "runs": runs})
    assert data_of(served["ready"], Event.EXPINIT)["arm"] is True
    assert "arm" not in data_of(served["runs"], Event.EXPINIT)
    assert "at" not in data_of(served["runs"], Event.EXPSTART)


async def test_a_rig_that_cannot_be_armed_has_all_disarmed_and_is_named_with_its_reason(tmp_path):
    bad = READY | {Event.EXPINIT: refusing("stream amp does not flow: no amplifier")}
    async with rigs({"good": READY, "bad": bad}) as served:
        async with Desk(lab(tmp_path, served)) as desk:
            with pytest.raises(RigsFailed, match="bad: .*amp does not flow: no amplifier\nrolled"):
                await desk.start(REF)
    assert served["good"].events == [Event.EXPINFO, Event.EXPINIT, *UNDONE]
    assert served["bad"].events == [Event.EXPINFO, Event.EXPINIT]


async def test_a_rig_that_is_not_required_and_cannot_be_armed_stops_no_other(tmp_path):
    bad = READY | {Event.EXPINIT: refusing("no amplifier")}
    served = await started(tmp_path, {"good": READY, "bad": bad}, optional={"bad": False})
    assert Event.EXPSTART in served["good"].events
    assert Event.EXPSTART not in served["bad"].events


async def test_all_rigs_begin_at_one_instant_each_told_in_its_own_clock(tmp_path):
    ahead = {"a": Ahead(5.0), "b": Ahead(-3.0)}
    heard_s = {}

    def go(name):
        def answer(message):
            heard_s[name] = ahead[name].now().clock
            return list(message.args)

        return READY | {Event.EXPSTART: answer}

    async with rigs({name: go(name) for name in "ab"}, **ahead) as served:
        async with Desk(lab(tmp_path, served)) as desk:
            report = await desk.start(REF)
    at = {name: data_of(rig, Event.EXPSTART)["at"] for name, rig in served.items()}
    bounds_s = sum(report.rigs[name].clock.bound_s for name in "ab")
    assert (at["a"] - 5.0) - (at["b"] + 3.0) == pytest.approx(0.0, abs=bounds_s)
    assert all(at[name] > heard_s[name] for name in "ab")


async def test_a_rig_is_told_what_is_known_of_its_clock_and_probed_before_it_goes(tmp_path):
    async with rigs({"a": READY}, a=Ahead(7.0)) as served:
        async with Desk(lab(tmp_path, served)) as desk:
            await desk.start(REF)
    for event in (Event.EXPINIT, Event.EXPSTART):
        sample = data_of(served["a"], event)["clock"]
        assert sample["offset_s"] == pytest.approx(7.0, abs=sample["bound_s"])
        assert sample["reference"]
    probes = [m.event for m in served["a"].heard].count(Event.EXPSTATUS)
    assert probes >= 3


async def test_the_predecessors_rigs_get_a_plain_init_and_no_instant_and_that_is_told(
    tmp_path, caplog
):
    async with rigs({"new": READY, "old": READY}) as served:
        whole = lab(tmp_path, served)
        old = replace(whole.rigs["old"], dialect="iblutil")
        async with Desk(replace(whole, rigs={**whole.rigs, "old": old})) as desk:
            await desk.start(REF)
    assert data_of(served["old"], Event.EXPINIT).keys() == {"exp_ref", "by"}
    assert data_of(served["old"], Event.EXPSTART).keys() == {"by"}
    assert Event.EXPSTATUS not in [m.event for m in served["old"].heard]
    assert "at" in data_of(served["new"], Event.EXPSTART)
    assert [r.getMessage() for r in caplog.records if "clock" in r.getMessage()] == [
        "old tells no clock: it begins when told, at no set instant"
    ]


async def test_a_rig_may_take_its_time_to_reply_until_after_the_instant(tmp_path):
    async def at_its_time(message):
        await asyncio.sleep(message.args[1]["at"] - served["a"].server.clock.now().clock)
        return list(message.args)

    async with rigs({"a": READY | {Event.EXPSTART: at_its_time}}) as served:
        patient = replace(lab_of(tmp_path, served), go_after_s=0.6)  # more than a reply may take
        async with Desk(patient) as desk:
            await desk.start(REF)


@pytest.mark.parametrize("planned_s", [None, 5400.0])
async def test_rigs_are_told_for_how_long_it_is_planned_to_record(tmp_path, planned_s):
    async with rigs({"a": READY}) as served, Desk(lab(tmp_path, served)) as desk:
        await desk.start(REF, planned_s)
    for event in (Event.EXPINIT, Event.EXPSTART):
        assert data_of(served["a"], event).get("planned_s") == planned_s
