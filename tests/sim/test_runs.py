"""Thousands of simulated runs: whatever the network does, whoever is killed, the promises hold.

A seed that fails is named; ``python -m tests.sim SEED [desk] [rig]`` tells its run by the packet.
"""

import pytest

from .invariants import broken
from .plans import plan_of
from .world import World

BATCH = 50
BATCHES = range(0, 1000, BATCH)


def check(first: int, *kills: str) -> None:
    """Live through a batch of seeds, and name those in which something does not hold."""
    failed = {}
    for seed in range(first, first + BATCH):
        world = World(plan_of(seed, kills=kills))
        world.live()
        if problems := broken(world):
            failed[f"python -m tests.sim {' '.join((str(seed), *kills))}"] = problems
    assert failed == {}


@pytest.mark.parametrize("first", BATCHES)
def test_the_promises_hold_whatever_the_network_does(first):
    check(first)


@pytest.mark.parametrize("first", BATCHES)
def test_the_promises_hold_although_the_desk_is_killed_at_any_step(first):
    check(first, "desk")
