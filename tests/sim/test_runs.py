"""Thousands of simulated runs: whatever the network does, whoever is killed, the promises hold.

A seed that fails is named; ``python -m tests.sim SEED [desk] [rig] [key]`` tells its run, packet by
packet.
"""

import pytest

from .invariants import broken
from .plans import plan_of
from .world import World

BATCH = 50
BATCHES = range(0, 400, BATCH)


def check(first: int, *hazards: str) -> None:
    """Live through a batch of seeds, and name those in which something does not hold."""
    failed = {}
    for seed in range(first, first + BATCH):
        world = World(plan_of(seed, *hazards))
        world.live()
        if problems := broken(world):
            failed[f"python -m tests.sim {' '.join((str(seed), *hazards))}"] = problems
    assert failed == {}


HAZARDS = [(), ("desk",), ("rig",), ("desk", "rig"), ("desk", "rig", "key")]
"""Who is killed at any step; with a key, bits are flipped under way."""


@pytest.mark.parametrize("hazards", HAZARDS, ids=lambda hazards: " ".join(hazards) or "none")
@pytest.mark.parametrize("first", BATCHES)
def test_the_promises_hold_whatever_the_network_does_and_whoever_is_killed(first, hazards):
    check(first, *hazards)
