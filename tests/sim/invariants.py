"""What must hold of every run, whatever the network did and whoever was killed."""

import random
from collections import deque
from collections.abc import Iterator
from typing import Any

from .desk import Call
from .world import World

PACKETS_PER_COMMAND = 120
"""A command is sent at most once a second (after the first eight) until its echo comes, for 30 s
here, and so is its answer; each arrival is echoed once, and so is its double.  Seldom more than 50,
even of those that nobody answers."""

_KEPT_PER_ENGINE = {"_latest": 8, "_heap": 64}
"""The last command of each event; outdated entries of an agenda, see `net.agenda`."""

_EPSILON_S = 1e-6


def broken(world: World) -> list[str]:
    """Return what does not hold, in words; empty if all does."""
    return [
        *_effects(world),
        *(problem for call in world.calls for problem in _call(world, call)),
        *_storm(world),
        *_memory(world),
    ]


def _effects(world: World) -> Iterator[str]:
    """No command takes effect twice."""
    for disk in world.disks.values():
        yield from (f"{tag!r} was done {n} times" for tag, n in disk.effects.items() if n > 1)


def _call(world: World, call: Call) -> Iterator[str]:
    """Every caller is told in time, and nothing but what is true."""
    effects = world.disks[call.rig].effects[call.tag]
    if call.is_open or call.told_at > call.deadline + _EPSILON_S:
        yield f"{call.tag!r}: its caller is not told before {call.deadline}"
    if call.outcome in ("result", "error") and not effects:
        yield f"{call.tag!r} was answered and never done"
    if call.outcome not in _possible(world, call):
        yield f"{call.tag!r} ended as {call.outcome!r}, which cannot be"


def _possible(world: World, call: Call) -> set[str]:
    outcomes = {"error" if call.tag.endswith("fails") else "result"}
    if world.deaths["desk"]:
        outcomes.add("lost")
    if world.deaths[call.rig]:
        outcomes.add("unknown")
    if not (world.plan.is_calm and call.within_s >= 60):
        outcomes |= {"no echo", "no reply"}
    return outcomes


def _storm(world: World) -> Iterator[str]:
    """Nothing is sent for ever, and not much for each command."""
    most = PACKETS_PER_COMMAND * len(world.calls)
    if (sent := world.sent.total()) > most:
        yield f"{sent} packets for {len(world.calls)} commands"


def _memory(world: World) -> Iterator[str]:
    """When all is over an engine holds nothing but what it is to remember."""
    processes = [world.desk, *world.rigs.values()]
    for process in processes:
        assert process, "all that were killed are back by now"
        for engine in process.engines.values():
            commands = len(world.calls)
            for path, size in held(engine):
                name = path.rpartition(".")[2]
                # The memory of executed commands (or of answers, at the desk) is to stay.
                most = 2 * commands if "memory" in path else _KEPT_PER_ENGINE.get(name, 0)
                if size > most:
                    yield f"{process.name}: {path} still holds {size}"


def held(thing: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """Yield all containers of an engine, whatever they are called, and their sizes."""
    if isinstance(thing, random.Random) or type(thing).__module__.split(".")[0] != "rigctl":
        return
    names = [*getattr(thing, "__dict__", ()), *getattr(thing, "__slots__", ())]
    for name in names:
        value, here = getattr(thing, name), f"{path}.{name}"
        if isinstance(value, dict | list | set | deque):
            yield here, len(value)
            for one in value.values() if isinstance(value, dict) else value:
                yield from held(one, here)
        else:
            yield from held(value, here)
