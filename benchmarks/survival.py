"""What was injected, and what came of sessions of four commands on four rigs: ours and iblutil's.

Both kinds of rig answer at once and count what takes effect; both kinds of controller tell all rigs
at once, as their users do; each rig stands behind a seeded proxy.  After a session that failed
controller and rigs are started anew, for the predecessor's communicators are closed then.
"""

import asyncio
import contextlib
import itertools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from iblutil.io.net import app

from benchmarks.rigs import QUIET, Rigs, rigs
from rigctl.address import Address
from rigctl.controller import Services
from rigctl.errors import RigctlError
from rigctl.net import EchoProtocol, Options
from rigctl.net.chaos import ChaosProxy
from rigctl.net.weather import Forecast, Weather, Window

RIGS = 4
SESSIONS = 60
KEY = b"k" * 32
ECHO_S = 1.0
"""How long an echo is waited for: the predecessor's default, and ours in its lab files."""

CONDITIONS = {
    "nothing": Weather(),
    "0.5 % loss": Weather(loss=0.005),
    "1 % loss": Weather(loss=0.01),
    "5 % loss": Weather(loss=0.05),
    "20 % loss": Weather(loss=0.2),
    "5 % duplication": Weather(duplication=0.05),
    "20 % duplication": Weather(duplication=0.2),
    "20 % held back, overtaken": Weather(reordering=0.2),
    "5 % loss, 5 % duplication, 5 % held back": Weather(0.05, 0.05, 0.05),
    "0.1 s of partition every 0.2 s": Weather(partitions=(Window.periodic(0.2, 0.1),)),
    "1 % of bits' packets damaged": Weather(corruption=0.01),
}


_LIVES = itertools.count()
"""So that rigs that were started anew do not meet the same weather again."""


@dataclass
class Fate:
    """What came of the sessions of one kind."""

    completed: int
    twice: int
    """In how many sessions a command took effect more than once on a rig."""


async def _ours(uris: Sequence[str]) -> Services:
    options = Options(key=KEY, echo_timeout_s=ECHO_S)
    clients = [
        await EchoProtocol.client(uri, f"rig{n}", options=options) for n, uri in enumerate(uris)
    ]
    return Services(clients, timeout=10.0)


async def _theirs(uris: Sequence[str]) -> Any:
    clients = [
        await app.EchoProtocol.client(uri, f"rig{n}", log=QUIET) for n, uri in enumerate(uris)
    ]
    return app.Services(clients, timeout=2.0)


async def _session(services: Any, ref: str) -> bool:
    try:
        await services.init({"exp_ref": ref})
        await services.start(ref)
        await services.stop({"exp_ref": ref})
        await services.cleanup({"exp_ref": ref})
    except (RigctlError, TimeoutError, RuntimeError, AttributeError, asyncio.CancelledError):
        return False
    return True


async def _drive(kind: str, served: Rigs, weather: Weather, numbers: Iterator[int]) -> int:
    """Go through sessions until one fails, or all are done; return how many were completed."""
    completed = 0
    async with contextlib.AsyncExitStack() as stack:
        uris = []
        for seed, uri in enumerate(served.uris):
            proxy = ChaosProxy(Address.parse(uri), Forecast(weather, f"{seed} {next(_LIVES)}"))
            await stack.enter_async_context(proxy)
            uris.append(str(proxy.address))
        services = await (_ours if kind == "ours" else _theirs)(uris)
        for number in numbers:
            if not await _session(services, f"2024-01-01_{number}_subject"):
                break
            completed += 1
        services.close()
    return completed


def fate(kind: str, weather: Weather, sessions: int = SESSIONS) -> Fate:
    """Return what came of so many sessions of one kind in such a weather."""
    numbers = iter(range(1, sessions + 1))
    completed, twice = 0, set()
    while operator.length_hint(numbers):
        with rigs(kind, "udp", RIGS, KEY if kind == "ours" else None) as served:
            completed += asyncio.run(_drive(kind, served, weather, numbers))
            effects: dict[str, int] = served.told()["effects"]
        twice |= {what.split()[2] for what, times in effects.items() if times > 1}
    return Fate(completed, len(twice))


def table(quick: bool = False) -> str:
    """Return the survival table."""
    sessions = 5 if quick else SESSIONS
    lines = [
        f"| injected ({RIGS} rigs, {sessions} sessions each) | rigctl: completed, ran twice in "
        "| iblutil: completed, ran twice in |",
        "|---|---|---|",
    ]
    for name, weather in CONDITIONS.items():
        ours, theirs = (fate(kind, weather, sessions) for kind in ("ours", "iblutil"))
        lines.append(
            f"| {name} | {ours.completed}, {ours.twice} | {theirs.completed}, {theirs.twice} |"
        )
    return "\n".join(lines) + "\n"
