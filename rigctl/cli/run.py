"""``rigctl run EXP_REF``: the whole life of a session, with progress; ^C stops it cleanly.

From: people, scripts.  To: `controller.desk`.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Coroutine
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rigctl.cli.control import code_of, show
from rigctl.cli.desk import busy, err, lab_command, with_desk
from rigctl.cli.interrupts import on_interrupt
from rigctl.cli.tables import notes, rigs_table
from rigctl.config.units import seconds as parse_seconds
from rigctl.controller import Desk
from rigctl.errors import ConfigError
from rigctl.messages import ExpRef
from rigctl.reports import LabReport

_REFRESH_S = 0.5


@click.command()
@click.argument("exp_ref")
@click.option(
    "--for", "duration", metavar="TIME", help="such as 10s or 45min; until ^C if not given"
)
@lab_command
def run(exp_ref: str, duration: str | None, lab_file: str | None, as_json: bool) -> None:
    """Start, record for a time, stop and clean up.

    EXP_REF is yyyy-mm-dd_n_subject, such as 2024-01-01_1_subject.
    """
    reference = ExpRef.parse(exp_ref)
    try:
        duration_s = parse_seconds(duration) if duration else None
    except ValueError as error:
        raise ConfigError("", "--for", str(error)) from None

    async def act(desk: Desk) -> LabReport:
        return await _session(desk, reference, duration_s)

    report = with_desk(lab_file, act)
    show(report, as_json)
    sys.exit(code_of(report))


async def _session(desk: Desk, reference: ExpRef, duration_s: float | None) -> LabReport:
    """Bring a session through its life and return what was recorded."""
    stopped = asyncio.Event()
    with on_interrupt(stopped.set):
        with busy(f"starting {reference} on {', '.join(desk.lab.rigs)} ..."):
            report = await _unless(stopped, desk.start(reference))
        if report is None:
            err.print("^C: what was begun is rolled back")
            return await desk.report()
        try:
            await _record(desk, report, duration_s, stopped)
        finally:
            # Whatever happened meanwhile, no rig is left recording that can be stopped.
            with busy("stopping ..."):
                await desk.stop()
        report = await desk.report()
        with busy("sealing ..."):
            await desk.cleanup()
        return report


async def _unless(
    stopped: asyncio.Event, starting: Coroutine[Any, Any, LabReport]
) -> LabReport | None:
    """Return the report of a start, or None when ^C came first and it was undone."""
    start = asyncio.create_task(starting, name="start")
    interrupt = asyncio.create_task(stopped.wait(), name="interrupt")
    try:
        await asyncio.wait([start, interrupt], return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
        return None if start.cancelled() else start.result()
    finally:
        interrupt.cancel()


async def _record(
    desk: Desk, report: LabReport, duration_s: float | None, stopped: asyncio.Event
) -> None:
    """Show how it goes until the time is over or ^C."""
    began_s = time.monotonic()
    progress = _progress(duration_s)
    task = progress.add_task("recording", total=duration_s)
    said: set[str] = set()
    live = Live(console=err, auto_refresh=False, transient=True)
    with live if sys.stderr.isatty() else contextlib.nullcontext():
        while not stopped.is_set():
            elapsed_s = time.monotonic() - began_s
            if duration_s is not None and elapsed_s >= duration_s:
                return
            progress.update(task, completed=elapsed_s)
            if sys.stderr.isatty():
                live.update(Group(progress, rigs_table(report), *notes(report)), refresh=True)
            else:
                _say_news(report, said)
            left_s = duration_s - elapsed_s if duration_s is not None else _REFRESH_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_REFRESH_S, left_s)):
                    await stopped.wait()
            report = await desk.report()
    err.print("^C: stopping cleanly")


def _say_news(report: LabReport, said: set[str]) -> None:
    """Where there is no terminal, say each thing once."""
    for line in notes(report):
        if line not in said:
            err.print(line)
            said.add(line)


def _progress(duration_s: float | None) -> Progress:
    remaining = [TextColumn("left"), TimeRemainingColumn()] if duration_s is not None else []
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), *remaining, console=err
    )
