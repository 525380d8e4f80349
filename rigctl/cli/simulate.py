"""``rigctl simulate rda``: an amplifier's program where there is no amplifier.

From: people, demos, tests.  To: `rda.simulator`.
"""

import asyncio
import contextlib
import errno
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from rigctl.cli.durations import option_seconds
from rigctl.cli.exits import told
from rigctl.cli.interrupts import on_interrupt
from rigctl.cli.signal_choice import Choice, beginning, choose
from rigctl.errors import ConfigError
from rigctl.rda.client import PORT_FLOAT32, PORT_INT16
from rigctl.rda.faultlist import FAULTS
from rigctl.rda.simulator import Simulator, SimulatorSettings
from rigctl.rda.source import Source

_PORTS = {"int16": PORT_INT16, "float32": PORT_FLOAT32}
_HIGHEST_PORT = 65535
_REFRESH_HZ = 2


@dataclass(frozen=True, slots=True)
class _Play:
    """What is played, from where it comes, and for how long."""

    source: Source
    origin: str
    limit_s: float | None
    """None until it ends, or for ever."""


@click.group()
def simulate() -> None:
    """Simulate devices, for demos and tests."""


@simulate.command()
@click.option("--replay", type=Path, metavar="FILE.vhdr", help="play a BrainVision recording")
@click.option("--channels", type=int, metavar="N", help="of a test signal  [default: 32]")
@click.option("--rate", metavar="HZ", help="of a test signal, such as 30000/1001  [default: 1000]")
@click.option("--dtype", help="int16 or float32  [default: the recording's, else float32]")
@click.option("--host", default="127.0.0.1", show_default=True, help="where to listen")
@click.option(
    *("--port", "port"),
    type=int,
    help="0 for any that is free  [default: 51244 for float32, 51234 for int16]",
)
@click.option("--speed", type=float, default=1.0, metavar="N", help="times the true rate, or inf")
@click.option("--once", is_flag=True, help="wait for a client, play to the last sample, end")
@click.option("--seconds", metavar="TIME", help="play so much of the signal, then end")
@click.option("--fault", default="", metavar="NAME", help="go wrong on purpose; ? lists how")
@click.option("--json", "as_json", is_flag=True, help="say where it listens as JSON")
@told
def rda(
    replay: Path | None,
    channels: int | None,
    rate: str | None,
    dtype: str | None,
    host: str,
    port: int | None,
    speed: float,
    once: bool,
    seconds: str | None,
    fault: str,
    as_json: bool,
) -> None:
    """Play a recording or a test signal to RDA clients, as an amplifier's program does.

    Goes on, from the beginning again and again, until ^C. One line tells when clients can connect.
    """
    if fault == "?":
        _list_faults()
        return
    source = choose(Choice(replay=replay, channels=channels, rate=rate, dtype=dtype))
    port = _PORTS[source.info.dtype] if port is None else port
    settings = _settings(host, port, speed=speed, once=once, fault=fault)
    length_s = None if seconds is None else option_seconds("--seconds", seconds)
    play = _play(source, replay, settings, length_s)
    asyncio.run(_serve(play, settings, as_json))


def _list_faults() -> None:
    for name, fault in FAULTS.items():
        click.echo(f"{name:20}{fault.does}")


def _settings(host: str, port: int, *, speed: float, once: bool, fault: str) -> SimulatorSettings:
    if not 0 <= port <= _HIGHEST_PORT:
        raise ConfigError("", "--port", f"{port} does not lie in 0 to {_HIGHEST_PORT}")
    try:
        return SimulatorSettings(host, port, speed=speed, once=once, fault=fault)
    except ConfigError as error:
        raise ConfigError("", f"--{error.key}", error.problem) from None


def _play(
    source: Source, replay: Path | None, settings: SimulatorSettings, length_s: float | None
) -> _Play:
    origin = str(replay) if replay else "a test signal"
    if not settings.once:
        return _Play(source, origin, None if length_s is None else length_s / settings.speed)
    if length_s is not None:
        source = beginning(source, length_s)
    elif source.points is None:
        raise ConfigError("", "--once", "a test signal never ends: say --seconds, too")
    return _Play(source, origin, None)


async def _serve(play: _Play, settings: SimulatorSettings, as_json: bool) -> None:
    """Listen, say so, and play until it is over."""
    simulator = Simulator(play.source, settings)
    # Who reads that we listen may end us at once: be ready for it before.
    with on_interrupt() as interrupt:
        async with contextlib.AsyncExitStack() as stack:
            with _refused(settings):
                await stack.enter_async_context(simulator)
            _announce(play, settings.host, simulator.port, as_json)
            with _shown(simulator):
                await _run(simulator, interrupt.came, play.limit_s)


async def _run(simulator: Simulator, ended: asyncio.Event, limit_s: float | None) -> None:
    """Play until the source ends, or time is up, or a signal comes."""
    playing = asyncio.create_task(simulator.run(), name="play")
    waiting = asyncio.create_task(ended.wait(), name="wait for a signal")
    tasks = (playing, waiting)
    try:
        await asyncio.wait(tasks, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not playing.cancelled():
        playing.result()


@contextlib.contextmanager
def _refused(settings: SimulatorSettings) -> Iterator[None]:
    """Turn what the system says against listening into one sentence."""
    try:
        yield
    except OSError as error:
        where = _address(settings.host, settings.port)
        if error.errno == errno.EADDRINUSE:
            problem = f"{where} is in use already; take another one, or 0 for any that is free"
            raise ConfigError("", "--port", problem) from None
        why = error.strerror or str(error)
        raise ConfigError("", "--host", f"cannot listen on {where}: {why}") from None


def _announce(play: _Play, host: str, port: int, as_json: bool) -> None:
    info = play.source.info
    channels, rate_hz = info.shape[0], float(info.rate_hz)
    facts = {
        "host": host,
        "port": port,
        "channels": channels,
        "rate_hz": rate_hz,
        "dtype": info.dtype,
    }
    text = (
        f"listening on {_address(host, port)}: {channels} channels at {rate_hz:.10g} Hz, "
        f"{info.dtype}, from {play.origin}"
    )
    click.echo(json.dumps(facts) if as_json else text)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _shown(simulator: Simulator) -> contextlib.AbstractContextManager[object]:
    """Show on a terminal how it goes."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    return Live(
        get_renderable=lambda: Text(status_line(simulator)),
        console=Console(stderr=True),
        refresh_per_second=_REFRESH_HZ,
        transient=True,
        redirect_stdout=False,
    )


def status_line(simulator: Simulator) -> str:
    """Return how it goes, for people."""
    dropped = simulator.dropped_blocks
    note = f", blocks dropped for slow ones: {dropped}" if dropped else ""
    return f"samples sent: {simulator.sent_samples}, clients: {simulator.clients}{note}"
