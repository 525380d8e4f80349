"""``rigctl start | stop | cleanup | init | status | info``: the verbs of an experiment.

From: people, scripts.  To: `controller.desk`.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import click
import msgspec
from rich.console import Group

from rigctl.cli.carrying import carry_out
from rigctl.cli.desk import busy, lab_command, out, with_desk
from rigctl.cli.durations import option_seconds
from rigctl.cli.exits import UNREACHABLE
from rigctl.cli.interrupts import on_interrupt
from rigctl.cli.outcome import Outcome, code_of, finish, show, start_failure
from rigctl.cli.starting import start_unless
from rigctl.cli.tables import notes, rigs_table
from rigctl.cli.watching import watch as watching
from rigctl.controller import Desk
from rigctl.errors import RigsFailed
from rigctl.messages import ExpRef, Json, Status
from rigctl.reports import LabReport


@click.command()
@click.argument("exp_ref")
@click.option(
    "--for", "planned", metavar="TIME", help="planned, such as 90min: is there room? stops nothing"
)
@lab_command
def start(exp_ref: str, planned: str | None, lab_file: str | None, as_json: bool) -> None:
    """Bring every rig to RUNNING: samples of every required stream are on disk.

    EXP_REF is yyyy-mm-dd_n_subject, such as 2024-01-01_1_subject.
    """
    reference = ExpRef.parse(exp_ref)
    planned_s = option_seconds("--for", planned) if planned else None

    async def act(desk: Desk) -> Outcome:
        with on_interrupt() as interrupt:
            report = await start_unless(interrupt, desk, reference, planned_s)
            if report is None:
                return Outcome(await desk.report(), code=interrupt.exit_code)
        return Outcome(report, start_failure(report, reference))

    finish(with_desk(lab_file, act), as_json)


@click.command()
@click.option("--immediately", is_flag=True, help="interrupt, also a start that is under way")
@lab_command
def stop(immediately: bool, lab_file: str | None, as_json: bool) -> None:
    """Stop the recording on every rig, the last one first."""

    def command(desk: Desk) -> Coroutine[Any, Any, object]:
        return desk.stop(immediately=immediately)

    finish(_done("stopping ...", lab_file, command), as_json)


@click.command()
@lab_command
def cleanup(lab_file: str | None, as_json: bool) -> None:
    """Release devices and seal the session on every rig."""
    finish(_done("cleaning up ...", lab_file, Desk.cleanup), as_json)


@click.command()
@click.argument("exp_ref", required=False)
@lab_command
def init(exp_ref: str | None, lab_file: str | None, as_json: bool) -> None:
    """Have every rig open its sources; samples flow into their rings from now on."""
    reference = ExpRef.parse(exp_ref) if exp_ref else None

    def command(desk: Desk) -> Coroutine[Any, Any, object]:
        return desk.init(reference)

    finish(_done("initialising ...", lab_file, command, to_its_end=False), as_json)


@click.command()
@click.option("--watch", is_flag=True, help="go on until ^C")
@click.option("--wait", metavar="TIME", help="wait so long until every rig answers, such as 10s")
@lab_command
def status(watch: bool, wait: str | None, lab_file: str | None, as_json: bool) -> None:
    """Show where every rig is and how its streams do."""
    patience_s = option_seconds("--wait", wait) if wait else 0.0

    async def act(desk: Desk) -> Outcome:
        report = await _until_reachable(desk, patience_s)
        if watch:
            report = await watching(report, desk.report, _view, as_json)
        elif lacking := desk.shortfall(report):
            return Outcome(report, RigsFailed(lacking, note=_way_on(report, lacking)))
        return Outcome(report)

    outcome = with_desk(lab_file, act)
    if watch and outcome.report:
        sys.exit(code_of(outcome.report))
    finish(outcome, as_json)


@click.command()
@lab_command
def info(lab_file: str | None, as_json: bool) -> None:
    """Show all that the rigs say of themselves."""
    report = with_desk(lab_file, lambda desk: desk.report())
    if as_json:
        show(report, as_json)
    else:
        for name, rig in report.rigs.items():
            out.print(f"[bold]{name}[/]")
            _print_facts(msgspec.to_builtins(rig), 1)
    sys.exit(code_of(report))


def _way_on(report: LabReport, lacking: Collection[str]) -> str:
    """Return what to do about rigs that do not run what they are to run."""
    if all(report.rigs[name].status == Status.STOPPED.name for name in lacking):
        return "a session that was stopped does not go on: end it with rigctl stop, rigctl cleanup"
    return "bring them there: rigctl resume"


def _done(
    text: str,
    lab_file: str | None,
    command: Callable[[Desk], Coroutine[Any, Any, object]],
    *,
    to_its_end: bool = True,
) -> Outcome:
    """Tell the rigs something; arguments as `carry_out`."""

    async def act(desk: Desk) -> Outcome:
        with on_interrupt() as interrupt, busy(text):
            return await carry_out(desk, command, interrupt, to_its_end=to_its_end)

    return with_desk(lab_file, act)


async def _until_reachable(desk: Desk, patience_s: float) -> LabReport:
    deadline = time.monotonic() + patience_s
    while True:
        report = await desk.report()
        if time.monotonic() >= deadline or code_of(report) != UNREACHABLE:
            return report
        await asyncio.sleep(0.1)  # rigs that are not up cannot be waited for otherwise


def _view(report: LabReport) -> Group:
    return Group(rigs_table(report), *notes(report))


def _print_facts(value: dict[str, Json], depth: int) -> None:
    indent = "  " * depth
    for key, item in value.items():
        if isinstance(item, dict) and item:
            out.print(f"{indent}{key}:", markup=False)
            _print_facts(item, depth + 1)
        else:
            out.print(f"{indent}{key}: {'-' if item in (None, [], {}) else item}", markup=False)
