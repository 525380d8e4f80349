"""An experiment on all rigs or on none."""

from dataclasses import replace

import pytest

from rigctl.controller import Desk
from rigctl.errors import Refused, RigsFailed
from rigctl.messages import Event, ExpRef

from .rigs import lab_of, refusing, rigs, saying

REF = ExpRef.parse("2024-01-01_1_subject")
OTHER = "2024-01-01_2_subject"


async def test_start_initialises_and_starts_every_rig(tmp_path):
    scripts = {n: {Event.EXPINFO: saying("RUNNING", str(REF))} for n in "ab"}
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        report = await desk.start(REF)
    assert served["a"].events == [64, 1, 2, 64]
    assert report.exp_ref == str(REF)
    assert report.rigs["a"].reachable
    assert report.rigs["a"].clock.bound_s > 0


async def test_a_rig_that_fails_init_leaves_no_other_initialised(tmp_path):
    scripts = {
        "good": {Event.EXPINFO: saying()},
        "bad": {Event.EXPINFO: saying(), Event.EXPINIT: refusing("no amplifier")},
    }
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        with pytest.raises(RigsFailed, match="rolled back: good") as caught:
            await desk.start(REF)
    assert list(caught.value.errors) == ["bad"]
    assert served["good"].events == [64, 1, 16, 8]
    assert Event.EXPSTART not in served["bad"].events


async def test_a_rig_that_fails_start_has_all_others_set_their_sessions_aside(tmp_path):
    scripts = {
        "good": {Event.EXPINFO: saying()},
        "bad": {Event.EXPINFO: saying(), Event.EXPSTART: refusing("no sample of stream amp")},
    }
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        with pytest.raises(RigsFailed, match="rolled back: good"):
            await desk.start(REF)
    interrupt = next(m for m in served["good"].heard if m.event is Event.EXPINTERRUPT)
    assert "abandon" in interrupt.args[0]
    assert served["good"].events[-1] is Event.EXPCLEANUP


async def test_a_rig_that_runs_this_session_already_is_not_undone(tmp_path):
    scripts = {
        "running": {Event.EXPINFO: saying("RUNNING", str(REF))},
        "bad": {Event.EXPINFO: saying(), Event.EXPSTART: refusing("no")},
    }
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        with pytest.raises(RigsFailed):
            await desk.start(REF)
    assert Event.EXPINTERRUPT not in served["running"].events


async def test_a_dead_rig_stops_all_before_anything_is_begun(tmp_path):
    async with rigs({"a": {Event.EXPINFO: saying()}, "dead": {}}) as served:
        served["dead"].server.close()
        async with Desk(lab_of(tmp_path, served)) as desk:
            with pytest.raises(RigsFailed, match="the other rigs are as they were") as caught:
                await desk.start(REF)
    assert list(caught.value.errors) == ["dead"]
    assert served["a"].events == [64]


async def test_an_optional_rig_may_be_dead_or_fail(tmp_path):
    scripts = {
        "a": {Event.EXPINFO: saying()},
        "dead": {},
        "bad": {Event.EXPINFO: saying(), Event.EXPSTART: refusing("no")},
    }
    async with rigs(scripts) as served:
        served["dead"].server.close()
        lab = lab_of(tmp_path, served, dead=False, bad=False)
        async with Desk(lab) as desk:
            report = await desk.start(REF)
    assert served["a"].events == [64, 1, 2, 64]
    assert served["bad"].events == [64, 1, 2, 16, 8, 64]
    assert not report.rigs["dead"].reachable
    assert "rigctl serve" in report.rigs["dead"].error


async def test_the_reference_of_the_rig_that_leads_the_synchronisation_stands(tmp_path):
    scripts = {"lead": {Event.EXPINFO: saying("INITIALIZED", OTHER, main_sync=True)}}
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        with pytest.raises(Refused, match=f"lead leads .* {OTHER}"):
            await desk.start(REF)


async def test_two_rigs_cannot_both_lead(tmp_path):
    scripts = {n: {Event.EXPINFO: saying(main_sync=True)} for n in "ab"}
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        with pytest.raises(Refused, match="a and b: only one"):
            await desk.start(REF)


async def test_stop_reaches_the_others_although_one_is_dead(tmp_path):
    async with rigs({"a": {Event.EXPINFO: saying()}, "dead": {}}) as served:
        served["dead"].server.close()
        async with Desk(lab_of(tmp_path, served)) as desk:
            with pytest.raises(RigsFailed) as caught:
                await desk.stop()
    assert list(caught.value.errors) == ["dead"]
    assert served["a"].events == [4]


async def test_a_rig_that_knows_only_the_handshake_of_the_predecessor_is_reported(tmp_path):
    scripts = {"old": {Event.EXPINFO: [20, {"exp_ref": str(REF), "main_sync": True}]}}
    async with rigs(scripts) as served, Desk(lab_of(tmp_path, served)) as desk:
        report = await desk.report()
    old = report.rigs["old"]
    assert (old.status, old.exp_ref, old.streams) == ("RUNNING", str(REF), {})


@pytest.mark.parametrize(("said", "status"), [([0, {}], None), ([20, {}], "RUNNING")])
async def test_what_only_repeats_our_own_status_is_not_the_rigs(tmp_path, said, status):
    async with rigs({"old": {Event.EXPINFO: said}}) as served:
        place = lab_of(tmp_path, served)
        old = replace(place.rigs["old"], dialect="iblutil")
        async with Desk(replace(place, rigs={"old": old})) as desk:
            assert (await desk.report()).rigs["old"].status == status
