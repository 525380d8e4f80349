"""Whole sessions over a bad network: real daemons, real sockets, a seeded proxy before each rig.

From: `scripts/bench`, and the suite with fewer sessions.  To: how many were completed, and whether
any command took effect other than once.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.daemons import served
from benchmarks.table import Row
from rigctl.address import Address
from rigctl.controller import Services
from rigctl.errors import RigctlError
from rigctl.net import EchoProtocol, Options
from rigctl.net.chaos import ChaosProxy
from rigctl.net.weather import Forecast, Weather

RIGS = 4
SESSIONS = 1000
BAD = Weather(loss=0.05, duplication=0.05, reordering=0.05)

_SERVICE = '''
from pathlib import Path
from rigctl.daemon import Service

class Counting(Service):
    """Writes a line for every effect."""

    def _count(self, what):
        with (Path(__file__).parent / "effects.txt").open("a") as file:
            file.write(f"{what}\\n")

    async def on_init(self, exp_ref, data):
        self._count(f"init {exp_ref}")

    async def on_start(self, exp_ref, data):
        self.exp_ref = exp_ref
        self._count(f"start {exp_ref}")

    async def on_stop(self, data, immediately):
        self._count(f"stop {self.exp_ref}")

    async def on_cleanup(self, data):
        self._count(f"cleanup {self.exp_ref}")
'''


@dataclass
class Survived:
    """What came of some sessions."""

    sessions: int
    completed: int = 0
    twice: int = 0
    """Effects that happened more than once, on any rig."""
    missing: int = 0
    """Effects of completed sessions that never happened, on any rig."""
    errors: list[str] = field(default_factory=list)


def rig_files(folder: Path, count: int) -> list[Path]:
    """Write rigs without sources, whose service counts."""
    files = []
    for number in range(count):
        place = folder / f"rig{number}"
        place.mkdir()
        (place / "counting.py").write_text(_SERVICE)
        rig = {"name": f"rig{number}", "listen": "udp://127.0.0.1:0", "data_root": "data"}
        files.append(place / "rig.yaml")
        files[-1].write_text(json.dumps(rig | {"service": "counting.py:Counting"}))
    return files


async def drive(
    addresses: Sequence[Address], sessions: int, weather: Weather, seed: int
) -> Survived:
    """Bring so many sessions through their life on all rigs, each rig behind a proxy."""
    survived = Survived(sessions)
    async with contextlib.AsyncExitStack() as stack:
        rigs = []
        for number, address in enumerate(addresses):
            forecast = Forecast(weather, seed + number)
            proxy = await stack.enter_async_context(ChaosProxy(address, forecast))
            options = Options(echo_timeout_s=10.0)
            rigs.append(
                await EchoProtocol.client(str(proxy.address), f"rig{number}", options=options)
            )
        async with Services(rigs, timeout=20.0) as services:
            for number in range(1, sessions + 1):
                await _session(services, f"2024-01-01_{number}_subject", survived)
    return survived


async def _session(services: Services, ref: str, survived: Survived) -> None:
    try:
        await services.init({"exp_ref": ref})
        await services.start(ref)
        await services.stop()
        await services.cleanup()
        survived.completed += 1
    except RigctlError as error:
        survived.errors.append(f"{ref}: {error}")


def count_effects(folder: Path, survived: Survived) -> None:
    """Compare what the rigs' services wrote with what was commanded."""
    for file in folder.glob("rig*/effects.txt"):
        counts = Counter(file.read_text().split("\n"))
        counts.pop("", None)
        survived.twice += sum(times - 1 for times in counts.values())
        survived.missing += max(4 * survived.completed - len(counts), 0)


def survive(sessions: int, weather: Weather = BAD, seed: int = 1, rigs: int = RIGS) -> Survived:
    """Return what came of so many sessions in such a weather."""
    with tempfile.TemporaryDirectory() as name:
        with served(rig_files(Path(name), rigs)) as addresses:
            survived = asyncio.run(drive(addresses, sessions, weather, seed))
        count_effects(Path(name), survived)
    return survived


def run(quick: bool = False) -> list[Row]:
    """Return the row of the long run."""
    sessions = 50 if quick else SESSIONS
    survived = survive(sessions)
    for error in survived.errors:
        print(error, file=sys.stderr)
    return [
        Row(
            f"{RIGS} rigs x {sessions} sessions at 5 % loss, 5 % duplication, 5 % reordering",
            f"{survived.completed} completed, {survived.twice} effects twice, "
            f"{survived.missing} missing",
            f"{sessions} sessions",
            f"{survived.completed / sessions:.3f}",
            "1.000, each effect once",
        )
    ]
