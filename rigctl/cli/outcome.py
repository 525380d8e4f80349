"""What came of a command to rigs: a report, an error, or both; shown, and as an exit code.

From: `cli.control`, `cli.run`.  To: the terminal, the shell.
"""

import sys
from dataclasses import dataclass
from typing import NoReturn

import click
import msgspec

from rigctl.cli.desk import err, out
from rigctl.cli.exits import FAILED, OK, UNREACHABLE, exit_code, fail
from rigctl.cli.tables import notes, rigs_table
from rigctl.controller.survey import is_silent, not_running
from rigctl.errors import RigctlError, RigsFailed
from rigctl.messages import ExpRef
from rigctl.reports import Condition, LabReport, RigReport


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command."""

    report: LabReport | None = None
    """How the rigs are, where they were asked."""
    error: RigctlError | None = None
    """What went wrong, all of it."""
    code: int = OK
    """The exit code where it is settled already, such as by an interrupt."""


def finish(outcome: Outcome, as_json: bool) -> NoReturn:
    """Show what came of a command and end with the exit code that it means."""
    if outcome.report:
        show(outcome.report, as_json)
    if outcome.error:
        fail(str(outcome.error), exit_code(outcome.error))
    sys.exit(outcome.code or (code_of(outcome.report) if outcome.report else OK))


def show(report: LabReport, as_json: bool) -> None:
    """Print a lab's report."""
    if as_json:
        click.echo(as_text(report, indent=2))
        return
    out.print(rigs_table(report))
    for line in notes(report):
        out.print(line)


def as_text(report: msgspec.Struct, indent: int = 0) -> str:
    """Return a report as JSON."""
    text = msgspec.json.encode(report)
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()


def code_of(report: LabReport) -> int:
    """Return the exit code that a report means; what is not required fails nothing."""
    rigs = [rig for rig in report.rigs.values() if rig.required]
    if any(not rig.reachable for rig in rigs):
        return UNREACHABLE
    return FAILED if any(_fails(rig, c) for rig in rigs for c in rig.conditions) else OK


def start_failure(report: LabReport, exp_ref: ExpRef) -> RigsFailed | None:
    """Return what is to be said of rigs that a start has not brought to RUNNING, if any.

    That a rig does not tell is said at once; nothing is concluded from it.
    """
    for name, rig in report.rigs.items():
        if is_silent(rig):
            err.print(f"{name}: not told whether it runs", markup=False)
    wrong = not_running(report, exp_ref)
    return RigsFailed(wrong) if wrong else None


def merged(*errors: RigctlError | None) -> RigctlError | None:
    """Return one error for several; of a rig that failed twice the first."""
    found = [error for error in errors if error]
    if not all(isinstance(error, RigsFailed) for error in found) or len(found) < 2:
        return found[0] if found else None
    by_name: dict[str, Exception] = {}
    for error in found:
        assert isinstance(error, RigsFailed)
        by_name |= {name: e for name, e in error.errors.items() if name not in by_name}
    return RigsFailed(by_name)


def _fails(rig: RigReport, condition: Condition) -> bool:
    stream = rig.streams.get(condition.stream)
    return condition.condition == "DEGRADED" and (stream is None or stream.required)
