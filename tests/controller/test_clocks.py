"""The clocks of rigs, over real sockets."""

import dataclasses
import socket

from rigctl.config import RigEntry
from rigctl.controller import Desk
from rigctl.controller.clocks import clock_report, clock_sample
from rigctl.controller.probing import survey_clocks
from rigctl.messages import Event
from rigctl.net import EchoProtocol, verbs
from rigctl.net.clock import RigClock

from .rigs import lab_of, rigs, saying

WELL = {Event.EXPINFO: saying()}


class Ahead(RigClock):
    """A clock that is ahead of all others here."""

    def __init__(self) -> None:
        super().__init__()
        self._base_s += 0.25


def set_ahead(rig) -> None:
    """Have a rig read another clock, as one on another computer does."""
    rig.server.clock = Ahead()


async def test_a_clock_is_found_within_its_bound_and_judged_by_the_labs_limit(tmp_path):
    async with rigs({"eeg": WELL, "probe": WELL}) as served:
        set_ahead(served["eeg"])
        async with Desk(lab_of(tmp_path, served)) as desk:
            found = await survey_clocks(desk, 8)
    eeg, probe = found.rigs["eeg"].clock, found.rigs["probe"].clock
    assert eeg
    assert probe
    assert abs(eeg.offset_s - 0.25) <= eeg.bound_s < 0.05
    assert abs(probe.offset_s) <= probe.bound_s < 0.05
    assert (eeg.over_limit, probe.over_limit) == (True, False)
    assert eeg.limit_s == found.limit_s == 0.05
    assert eeg.round_trip_s
    assert (found.host, found.host_clock.synchronised is None) == (socket.gethostname(), False)


async def test_every_probe_is_a_question_and_nothing_else(tmp_path):
    async with rigs({"eeg": WELL}) as served:
        async with Desk(lab_of(tmp_path, served)) as desk:
            await survey_clocks(desk, 5)
        assert [m.event for m in served["eeg"].heard] == [Event.EXPINFO, *[Event.EXPSTATUS] * 5]


async def test_a_rig_of_the_predecessors_dialect_is_not_asked_again_and_again(tmp_path):
    async with rigs({"old": WELL}) as served:
        lab = lab_of(tmp_path, served)
        old = RigEntry("old", served["old"].server.address, dialect="iblutil")
        async with Desk(dataclasses.replace(lab, rigs={"old": old})) as desk:
            found = await survey_clocks(desk, 5)
            assert clock_sample(desk.services["old"]) is None
        assert [m.event for m in served["old"].heard] == [Event.EXPINFO]
    assert found.rigs["old"].clock is None
    assert found.rigs["old"].reachable


async def test_a_rig_that_falls_silent_is_out_of_reach_and_asked_no_more(tmp_path):
    async with rigs({"eeg": WELL | {Event.EXPSTATUS: ...}, "ok": WELL}) as served:
        async with Desk(lab_of(tmp_path, served)) as desk:
            found = await survey_clocks(desk, 3)
        assert [m.event for m in served["eeg"].heard] == [Event.EXPINFO, Event.EXPSTATUS]
        assert [m.event for m in served["ok"].heard] == [Event.EXPINFO, *[Event.EXPSTATUS] * 3]
    assert not found.rigs["eeg"].reachable
    assert "EXPSTATUS" in (found.rigs["eeg"].error or "")
    assert found.rigs["ok"].reachable


async def test_a_sample_for_the_session_names_this_computer(tmp_path):
    async with rigs({"eeg": WELL}) as served:
        set_ahead(served["eeg"])
        rig = await EchoProtocol.client(served["eeg"].server.server_uri, name="eeg")
        assert clock_sample(rig) is None
        assert clock_report(rig, 0.05) is None
        for _ in range(3):
            await rig.request(verbs.info_message(0, {}))
        sample = clock_sample(rig)
        rig.close()
    assert sample
    assert sample.reference == socket.gethostname()
    assert abs(sample.offset_s - 0.25) <= sample.bound_s
    assert sample.drift_ppm is None


async def test_a_limit_holds_for_what_is_not_known_too(tmp_path):
    async with rigs({"eeg": WELL}) as served:
        rig = await EchoProtocol.client(served["eeg"].server.server_uri, name="eeg")
        await rig.request(verbs.info_message(0, {}))
        found = [clock_report(rig, limit_s) for limit_s in (1e-9, 10.0)]
        rig.close()
    assert [one and one.over_limit for one in found] == [True, False]
