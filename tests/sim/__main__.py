"""``python -m tests.sim SEED [desk] [rig] [key]``: one simulated run, told by the packet."""

import sys

from .invariants import broken
from .plans import plan_of
from .world import World


def main(seed: str, *hazards: str) -> int:
    plan = plan_of(int(seed), *hazards)
    world = World(plan)
    world.live()
    problems = broken(world)
    sys.stdout.writelines(f"{line}\n" for line in (plan, *world.notes, *problems))
    return len(problems)


sys.exit(main(*sys.argv[1:]))
