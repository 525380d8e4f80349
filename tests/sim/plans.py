"""What happens in one simulated run: settled by its seed, before it begins."""

import random
from dataclasses import dataclass, field, replace

from rigctl.net.weather import Weather, Window

COMMANDS_S = 6.0
"""Within what time all commands are given."""
_LAST_STEP = 60


@dataclass(frozen=True)
class Order:
    """A command that somebody gives."""

    at_s: float
    rig: str
    tag: str
    timeout_s: float
    within_s: float


@dataclass(frozen=True)
class Plan:
    """One run."""

    seed: int
    weather: Weather
    rigs: tuple[str, ...]
    orders: tuple[Order, ...]
    kills: dict[str, frozenset[int]] = field(default_factory=dict)
    """Before which of its steps a process (``desk``, or a rig's name) is killed."""
    key: bytes | None = None
    """What all share, if anything; with it, the network may damage what it carries, too."""

    @property
    def is_calm(self) -> bool:
        """Whether every command is to get through, if its caller waits long enough."""
        mild = self.weather.loss <= 0.2 and not self.weather.partitions
        return mild and not any(self.kills.values())


def plan_of(seed: int, *hazards: str) -> Plan:
    """Return the plan of a seed.

    Args:
        seed: settles all of it.
        hazards: ``desk``, ``rig``: these processes may be killed; ``key``: all share a key, and
            bits may be flipped under way.
    """
    dice = random.Random(seed)
    rigs = tuple(f"rig{n}" for n in range(dice.randint(1, 3)))
    weather = Weather(
        loss=dice.choice((0.0, 0.05, 0.2, 0.5)),
        duplication=dice.choice((0.0, 0.05, 0.3)),
        reordering=dice.choice((0.0, 0.05, 0.3)),
        delay_s=dice.choice((0.0, 0.001, 0.02)),
        jitter_s=dice.choice((0.0, 0.005, 0.2)),
        hold_s=dice.choice((0.05, 1.0)),
        partitions=_partitions(dice),
    )
    orders = tuple(_order(dice, rig, n) for rig in rigs for n in range(dice.randint(1, 5)))
    doomed = [*(("desk",) if "desk" in hazards else ()), *(rigs if "rig" in hazards else ())]
    steps = {name: dice.sample(range(1, _LAST_STEP), dice.randint(0, 3)) for name in doomed}
    kills = {name: frozenset(some) for name, some in steps.items()}
    if "key" not in hazards:
        return Plan(seed, weather, rigs, orders, kills)
    damaging = replace(weather, corruption=dice.choice((0.0, 0.02, 0.1)))
    return Plan(seed, damaging, rigs, orders, kills, key=dice.randbytes(32))


def _partitions(dice: random.Random) -> tuple[Window, ...]:
    kind = dice.random()
    if kind < 0.5:
        return ()
    if kind < 0.75:
        return (Window.periodic(dice.uniform(1.0, 5.0), dice.uniform(0.1, 0.9)),)
    return (Window(dice.uniform(0.0, COMMANDS_S), dice.uniform(0.1, 20.0)),)


def _order(dice: random.Random, rig: str, number: int) -> Order:
    fails = " fails" if dice.random() < 0.1 else ""
    timeout_s, within_s = dice.choice(((30.0, 60.0), (1.0, 10.0)))
    tag = f"{rig} command {number}{fails}"
    return Order(dice.uniform(0, COMMANDS_S), rig, tag, timeout_s, within_s)
