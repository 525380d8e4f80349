"""``rigctl run EXP_REF``: the whole life of a session, with progress; ^C stops it cleanly.

From: people, scripts.  To: `controller.desk`.
"""

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import Awaitable

import click
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rigctl.cli.attendance import Attendance
from rigctl.cli.desk import busy, err, lab_command, with_desk
from rigctl.cli.durations import option_seconds
from rigctl.cli.exits import OK
from rigctl.cli.interrupts import Interrupt, on_interrupt
from rigctl.cli.outcome import Outcome, finish, merged, start_failure
from rigctl.cli.starting import start_unless
from rigctl.cli.tables import notes, rigs_table
from rigctl.controller import Desk
from rigctl.errors import RigctlError
from rigctl.messages import ExpRef
from rigctl.reports import LabReport

_REFRESH_S = 0.5
_FIGURE = re.compile(r"\d[\d.]*(?= (?:m?s|[kMGT]?B|samples)\b)")


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
    duration_s = option_seconds("--for", duration) if duration else None

    async def act(desk: Desk) -> Outcome:
        with on_interrupt() as interrupt:
            return await _session(desk, reference, duration_s, interrupt)

    finish(with_desk(lab_file, act), as_json)


async def _session(
    desk: Desk, reference: ExpRef, duration_s: float | None, interrupt: Interrupt
) -> Outcome:
    """Bring a session through its life and return what was recorded."""
    report = await start_unless(interrupt, desk, reference, duration_s)
    if report is None:
        return Outcome(await desk.report(), code=interrupt.exit_code)
    error = start_failure(report, reference)
    attendance, cut = Attendance(reference), False
    try:
        if not error:
            await _record(desk, report, duration_s, interrupt, attendance)
            cut = duration_s is not None and interrupt.came.is_set()
    finally:
        # Whatever happened meanwhile, no rig is left recording that can be stopped.
        ended = await _end(desk)
    whole = merged(error, attendance.failure, ended.error)
    return Outcome(ended.report, whole, interrupt.exit_code if cut else OK)


async def _end(desk: Desk) -> Outcome:
    """Stop and seal: a rig that fails at one keeps no rig from the other."""
    with busy("stopping ..."):
        not_stopped = await _error_of(desk.stop())
    report = await desk.report()
    with busy("sealing ..."):
        not_sealed = await _error_of(desk.cleanup())
    return Outcome(report, merged(not_stopped, not_sealed))


async def _error_of(command: Awaitable[object]) -> RigctlError | None:
    try:
        await command
    except RigctlError as error:
        return error
    return None


async def _record(
    desk: Desk,
    report: LabReport,
    duration_s: float | None,
    interrupt: Interrupt,
    attendance: Attendance,
) -> None:
    """Show how it goes until the time is over, ^C comes or no rig records any more."""
    stopped, began_s = interrupt.came, time.monotonic()
    progress = _progress(duration_s)
    task = progress.add_task("recording", total=duration_s)
    said: set[str] = set()
    live = Live(console=err, auto_refresh=False, transient=True)
    with live if sys.stderr.isatty() else contextlib.nullcontext():
        while not stopped.is_set():
            elapsed_s = time.monotonic() - began_s
            if duration_s is not None and elapsed_s >= duration_s:
                return
            if attendance.is_over:
                err.print("no rig records any more: ending early")
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
            for line in attendance.see(report):
                err.print(line, markup=False)
    err.print(f"{interrupt.label}: stopping cleanly")


def _say_news(report: LabReport, said: set[str]) -> None:
    """Where there is no terminal, say each thing once, whatever its figures are by then."""
    for line in notes(report):
        if (thing := _FIGURE.sub("", line)) not in said:
            err.print(line)
            said.add(thing)


def _progress(duration_s: float | None) -> Progress:
    remaining = [TextColumn("left"), TimeRemainingColumn()] if duration_s is not None else []
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), *remaining, console=err
    )
