"""The simulation itself: it repeats itself, much happens in it, and what is broken is seen."""

from collections import Counter

import pytest

from rigctl.net.weather import Direction, Fate

from .invariants import broken
from .plans import plan_of
from .rig import Rig
from .world import World


def lived(seed, *hazards):
    world = World(plan_of(seed, *hazards))
    world.live()
    return world


@pytest.fixture
def world():
    found = next(w for w in map(lived, range(100)) if w.plan.is_calm and len(w.calls) > 3)
    assert broken(found) == []
    return found


def answered(world):
    return next(call for call in world.calls if call.outcome == "result")


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_repeats_itself_packet_by_packet(seed):
    once, again = lived(seed, "desk", "rig"), lived(seed, "desk", "rig")
    assert once.notes == again.notes
    assert once.notes != lived(seed + 1, "desk", "rig").notes


def test_much_happens():
    worlds = [lived(seed, "desk", "rig") for seed in range(60)]
    outcomes = Counter(call.outcome for world in worlds for call in world.calls)
    assert outcomes.keys() >= {"result", "error", "no echo", "lost", "unknown"}
    assert outcomes["result"] > outcomes.total() / 4
    deaths = sum((world.deaths for world in worlds), Counter())
    assert deaths["desk"] > 20
    assert deaths.total() - deaths["desk"] > 20


def test_a_second_effect_is_seen(world):
    call = answered(world)
    world.disks[call.rig].effects[call.tag] += 1
    assert broken(world) == [f"{call.tag!r} was done 2 times"]


def test_a_rig_that_remembers_nothing_is_seen(monkeypatch):
    monkeypatch.setattr(Rig, "remember", lambda *_: None)
    problems = [problem for seed in range(60) for problem in broken(lived(seed, "rig"))]
    assert any("was done 2 times" in problem for problem in problems)


def test_what_is_damaged_under_way_is_rejected_where_there_is_a_key():
    assert sum(lived(seed, "key").rejected for seed in range(20)) > 20


def test_an_answer_without_an_effect_is_seen(world):
    call = answered(world)
    del world.disks[call.rig].effects[call.tag]
    assert broken(world) == [f"{call.tag!r} was answered and never done"]


def test_a_caller_that_is_told_too_late_is_seen(world):
    call = answered(world)
    call.told_at = call.deadline + 0.1
    assert "its caller is not told" in broken(world)[0]


@pytest.mark.parametrize("outcome", ["unknown", "another's result: ()", "lost", "error"])
def test_a_caller_that_is_told_something_else_is_seen(world, outcome):
    call = answered(world)
    call.outcome = outcome
    assert broken(world) == [f"{call.tag!r} ended as {outcome!r}, which cannot be"]


def test_a_storm_is_seen():
    """Echoes that are taken for messages and echoed would go to and fro for ever."""
    world = World(plan_of(3))
    world._carry = storming(world, world._carry)
    world.live()
    assert any("packets for" in problem for problem in broken(world))


def storming(world, carry):
    def carry_often(desk, rig, way, data, arrive):
        for _ in range(200 if way is Direction.FROM_RIG else 1):
            carry(desk, rig, way, data, arrive)

    return carry_often


def test_what_an_engine_never_lets_go_is_seen(world):
    engine = next(iter(world.desk.engines.values()))
    engine.forgotten = [Fate(())]
    assert broken(world) == ["desk-0: .forgotten still holds 1"]
