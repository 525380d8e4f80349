"""Rigs are stopped in order, at one instant, and none waits for ever for another."""

import asyncio
from dataclasses import replace

import pytest

from rigctl.controller import Desk
from rigctl.controller.stopping import stop_order
from rigctl.errors import RigsFailed
from rigctl.messages import Event

from .rigs import Ahead, data_of, lab_of, refusing, rigs, saying

READY = {Event.EXPINFO: saying("RUNNING")}


@pytest.mark.parametrize(
    ("names", "last", "at_once", "groups"),
    [
        ("abc", "", False, ["cba"]),
        ("abc", "a", False, ["cb", "a"]),
        ("abc", "ca", False, ["b", "c", "a"]),
        ("abc", "cba", False, ["c", "b", "a"]),
        ("ab", "x", False, ["ba"]),
        ("", "a", False, []),
        ("abc", "ca", True, ["bca"]),
    ],
)
def test_the_order_of_a_stop(names, last, at_once, groups):
    assert ["".join(group) for group in stop_order(names, last, at_once=at_once)] == groups


async def told(tmp_path, act, scripts, **changes):
    """Do something at the desk of these rigs; return the order in which they were told, too."""
    order = []

    def noting(name, event, answer):
        def note(message):
            order.append((name, event))
            return answer if answer else list(message.args)

        return note

    ends = (Event.EXPEND, Event.EXPINTERRUPT, Event.EXPCLEANUP)
    noted = {
        name: script | {event: noting(name, event, script.get(event)) for event in ends}
        for name, script in scripts.items()
    }
    clocks = changes.pop("clocks", {})
    async with rigs(noted, **clocks) as served:
        lab = replace(lab_of(tmp_path, served), go_after_s=0.05, **changes)
        async with Desk(lab) as desk:
            try:
                await act(desk)
            except RigsFailed as error:
                return served, order, error
    return served, order, None


async def test_all_rigs_stop_at_one_instant_each_in_its_own_clock(tmp_path):
    clocks = {"a": Ahead(5.0), "b": Ahead(-3.0)}
    served, _, error = await told(tmp_path, Desk.stop, {"a": READY, "b": READY}, clocks=clocks)
    assert error is None
    data = {name: data_of(rig, Event.EXPEND) for name, rig in served.items()}
    bounds_s = sum(one["clock"]["bound_s"] for one in data.values())
    apart_s = (data["a"]["at"] - 5.0) - (data["b"]["at"] + 3.0)
    assert apart_s == pytest.approx(0.0, abs=bounds_s + 0.001)


async def test_those_that_are_last_stop_after_all_others_at_instants_of_their_own(tmp_path):
    rigs_of_all = dict.fromkeys("sync", READY)
    served, order, _ = await told(tmp_path, Desk.stop, rigs_of_all, stop_last=("s", "y"))
    names = [name for name, _ in order]
    assert set(names[:2]) == {"n", "c"}
    assert names[2:] == ["s", "y"]
    at = {name: data_of(rig, Event.EXPEND)["at"] for name, rig in served.items()}
    assert max(at["n"], at["c"]) < at["s"] < at["y"]


async def test_a_rig_that_fails_or_is_silent_keeps_no_other_from_being_stopped(tmp_path):
    scripts = {
        "sync": READY,
        "bad": READY | {Event.EXPEND: refusing("the door is stuck")},
        "mute": READY | {Event.EXPEND: ...},
        "good": READY,
    }
    _, order, error = await told(tmp_path, Desk.stop, scripts, stop_last=("sync",))
    assert {name for name, _ in order} == scripts.keys()
    assert order[-1][0] == "sync"
    assert error.errors.keys() == {"bad", "mute"}
    assert error.replies.keys() == {"sync", "good"}


async def test_an_interrupt_has_no_instant_and_waits_for_nobody(tmp_path):
    last_is_told = asyncio.Event()

    def last(message):
        last_is_told.set()
        return list(message.args)

    async def once_the_last_is_told(message):
        await last_is_told.wait()
        return list(message.args)

    scripts = {"sync": {Event.EXPINTERRUPT: last}, "b": {Event.EXPINTERRUPT: once_the_last_is_told}}
    async with rigs(scripts) as served:
        lab = replace(lab_of(tmp_path, served), stop_last=("sync",))
        async with Desk(lab) as desk:
            await desk.stop(immediately=True)
    assert [rig.events for rig in served.values()] == [[Event.EXPINTERRUPT]] * 2
    assert all(data_of(rig, Event.EXPINTERRUPT) is None for rig in served.values())


async def test_cleanup_has_the_order_of_the_stop(tmp_path):
    _, order, _ = await told(tmp_path, Desk.cleanup, dict.fromkeys("abc", READY), stop_last=("a",))
    assert order[-1] == ("a", Event.EXPCLEANUP)
    assert len(order) == 3


async def test_what_is_stopped_tells_its_clock_with_the_command(tmp_path):
    served, _, _ = await told(tmp_path, Desk.stop, {"a": READY}, clocks={"a": Ahead(2.0)})
    sample = data_of(served["a"], Event.EXPEND)["clock"]
    assert sample["offset_s"] == pytest.approx(2.0, abs=sample["bound_s"])


async def test_a_question_tells_each_rig_what_is_known_of_its_clock(tmp_path):
    async with rigs({"a": READY}, a=Ahead(2.0)) as served:
        async with Desk(lab_of(tmp_path, served)) as desk:
            await desk.report()
            await desk.report()
    first, second = (m.args[1] for m in served["a"].heard if m.event is Event.EXPINFO)
    assert first["clock"] is None
    assert second["clock"]["offset_s"] == pytest.approx(2.0, abs=second["clock"]["bound_s"])
