"""``rigctl chaos``: a bad network between the controller and the rigs, for rehearsals.

From: people, tests.  To: `net.chaos`; a lab file that leads through it.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import yaml

from rigctl.cli.desk import lab_command, read_lab
from rigctl.cli.interrupts import on_interrupt
from rigctl.cli.printing import show_grid
from rigctl.cli.weather_choice import Choice, choose, in_words
from rigctl.config import Lab
from rigctl.config.detour import detour
from rigctl.config.document import Document
from rigctl.config.lab import RigEntry
from rigctl.errors import ConfigError, Unreachable
from rigctl.net.chaos import ChaosProxy, Counts
from rigctl.net.weather import Forecast, Weather

_MARK = b"# Written by rigctl chaos, which may overwrite it.\n"
_SEEDS = 1_000_000
_HEADINGS = {
    "passed": "passed",
    "lost": "lost",
    "parted": "lost to partitions",
    "duplicated": "doubled",
    "held": "held back",
    "cut": "cut",
}
"""What the counts are called in the table."""

_Proxies = Mapping[str, ChaosProxy]


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """What is to be done."""

    lab: Lab
    weather: Weather
    seed: int
    target: Path
    """The lab file that is written."""


@click.command()
@click.option("--loss", default="5%", show_default=True, help="of datagrams")
@click.option("--duplicate", default="5%", show_default=True, help="of datagrams")
@click.option(
    "--reorder", default="5%", show_default=True, help="held back, so that others overtake"
)
@click.option("--delay", default="", metavar="TIME", help="each way, such as 5ms")
@click.option("--jitter", default="", metavar="TIME", help="by how much more it may take")
@click.option("--partition", default="", metavar="TIME/TIME", help="nothing passes, such as 2s/30s")
@click.option("--cut", default="", metavar="PERCENTAGE", help="of what streams carry breaks them")
@click.option("--seed", type=int, metavar="N", help="repeats what was done with it  [default: any]")
@click.option(
    *("--write", "target"),
    type=Path,
    default="chaos.yaml",
    show_default=True,
    metavar="FILE",
    help="the lab file for the rehearsal",
)
@lab_command
def chaos(
    lab_file: str | None, seed: int | None, target: Path, as_json: bool, **options: str
) -> None:
    """Rehearse with a bad network between the controller and the rigs, until ^C.

    Writes a lab file that leads every command given it through that network, and says at the end
    what was lost, doubled, held back and cut.  --json: a line at the beginning, a line at the end.
    """
    weather, lab = choose(Choice(**options)), read_lab(lab_file)
    if _is_ours(lab.path):
        problem = "it was written by rigctl chaos: give the lab's own file"
        raise ConfigError(str(lab.path), "--config", problem)
    seed = random.randrange(_SEEDS) if seed is None else seed
    asyncio.run(_rehearse(_Rehearsal(lab, weather, seed, target), as_json))


async def _rehearse(rehearsal: _Rehearsal, as_json: bool) -> None:
    """Stand between all rigs and whoever comes, until ^C, and say what was done."""
    # Who reads that we are ready may end us at once: be ready for it before.
    with on_interrupt() as interrupt:
        async with contextlib.AsyncExitStack() as stack:
            began_s = asyncio.get_running_loop().time()
            proxies: dict[str, ChaosProxy] = {}
            for name, rig in rehearsal.lab.rigs.items():
                forecast = Forecast(rehearsal.weather, f"{rehearsal.seed} {name}", began_s)
                proxies[name] = await _standing_for(rig, forecast, stack)
            _write_lab(rehearsal, proxies)
            _announce(rehearsal, proxies, as_json)
            await interrupt.came.wait()
    _tell(rehearsal, proxies, as_json)


async def _standing_for(
    rig: RigEntry, forecast: Forecast, stack: contextlib.AsyncExitStack
) -> ChaosProxy:
    try:
        return await stack.enter_async_context(ChaosProxy(rig.address, forecast))
    except OSError as error:
        why = error.strerror or str(error) or "no answer"
        text = f"{rig.name}: there is no way to {rig.address}: {why}"
        raise Unreachable(text, name=rig.name, uri=str(rig.address)) from error


def _write_lab(rehearsal: _Rehearsal, proxies: _Proxies) -> None:
    """Write the lab file of the rehearsal, never in place of one that is somebody's own."""
    target, lab = rehearsal.target, rehearsal.lab
    addresses = {name: proxy.address for name, proxy in proxies.items()}
    values = detour(lab, Document.read(lab.path), addresses)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    try:
        if target.exists() and not _is_ours(target):
            problem = "is there already and was not written by rigctl chaos: give another name"
            raise ConfigError(str(target), "--write", problem)
        target.write_bytes(_MARK + text.encode())
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise ConfigError(str(target), "--write", problem) from None


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline(len(_MARK)) == _MARK


def _announce(rehearsal: _Rehearsal, proxies: _Proxies, as_json: bool) -> None:
    """Say what is done, where, and how to repeat it."""
    lab, target, seed = rehearsal.lab, rehearsal.target, rehearsal.seed
    if as_json:
        rigs = {
            name: {"uri": str(proxy.address), "rig": str(lab.rigs[name].address)}
            for name, proxy in proxies.items()
        }
        click.echo(json.dumps({"seed": seed, "lab_file": str(target), "rigs": rigs}))
        return
    click.echo(f"{in_words(rehearsal.weather)} (--seed {seed} repeats it)")
    for name, proxy in proxies.items():
        click.echo(f"{name}: {proxy.address} stands for {lab.rigs[name].address}")
    click.echo(f"rehearse with: rigctl run --config {target} EXP_REF --for 10s; ^C ends this")


def _tell(rehearsal: _Rehearsal, proxies: _Proxies, as_json: bool) -> None:
    """Say what was done."""
    counts = {
        (name, str(way)): one
        for name, proxy in proxies.items()
        for way, one in proxy.counts.items()
    }
    if as_json:
        rigs: dict[str, dict[str, object]] = {name: {} for name in proxies}
        for (name, way), one in counts.items():
            rigs[name][way.replace(" ", "_")] = asdict(one)
        click.echo(json.dumps({"seed": rehearsal.seed, "rigs": rigs}))
        return
    rows = [[name, way, *_cells(one)] for (name, way), one in counts.items()]
    show_grid(["rig", "way", *_HEADINGS.values()], rows, _HEADINGS.values())


def _cells(counts: Counts) -> list[str]:
    return [str(getattr(counts, name)) for name in _HEADINGS]
