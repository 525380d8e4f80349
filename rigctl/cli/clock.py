"""``rigctl clock``: by how much the rigs' clocks differ, and how each computer's own is kept.

From: people, scripts.  To: `controller.probing`.
"""

import sys

import click
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from rigctl.cli.desk import lab_command, out, with_desk
from rigctl.cli.exits import FAILED, OK, UNREACHABLE
from rigctl.cli.outcome import as_text
from rigctl.cli.tables import clock_warnings
from rigctl.cli.watching import watch as watching
from rigctl.controller import Desk
from rigctl.controller.probing import survey_clocks
from rigctl.reports import ClockReport, ClockSurvey, HostClock, RigReport

_FIGURES = ("offset", "drift", "round trip")
_OURS = "this computer"


@click.command()
@click.option(
    "--probes",
    default=16,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="how many exchanges with each rig",
)
@click.option("--watch", is_flag=True, help="go on until ^C; drift shows after some minutes")
@lab_command
def clock(probes: int, watch: bool, lab_file: str | None, as_json: bool) -> None:
    """Show by how much every rig's clock differs from this computer's.

    The truth lies within plus or minus the bound. The lab file's clock_limit says what is allowed
    of both; a rig over it is a failure.
    """

    async def act(desk: Desk) -> ClockSurvey:
        async def survey() -> ClockSurvey:
            return await survey_clocks(desk, probes)

        first = await survey()
        return await watching(first, survey, _view, as_json) if watch else first

    found = with_desk(lab_file, act)
    if not watch:
        _show(found, as_json)
    sys.exit(code_of(found))


def code_of(survey: ClockSurvey) -> int:
    """Return the exit code that a survey means; what is not required fails nothing."""
    rigs = [rig for rig in survey.rigs.values() if rig.required]
    if any(not rig.reachable for rig in rigs):
        return UNREACHABLE
    return FAILED if any(rig.clock and rig.clock.over_limit for rig in rigs) else OK


def clocks_table(survey: ClockSurvey) -> Table:
    """Return a line for every rig, and one for this computer."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rig", no_wrap=True)
    for name in _FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("computer kept by", overflow="fold")
    for name, rig in survey.rigs.items():
        table.add_row(escape(name), *_figures(rig.clock), _kept(rig.host_clock))
    table.add_row(_OURS, "", "", "", _kept(survey.host_clock))
    return table


def clock_notes(survey: ClockSurvey) -> list[str]:
    """Return what is to be said below the table, ready for a rich console."""
    lines = []
    for name, rig in survey.rigs.items():
        lines += [*_shortfalls(name, rig), *clock_warnings(name, rig)]
        lines += _details(name, rig.host_clock)
    return lines + _details(_OURS, survey.host_clock)


def _show(survey: ClockSurvey, as_json: bool) -> None:
    if as_json:
        click.echo(as_text(survey, indent=2))
        return
    out.print(clocks_table(survey))
    for line in clock_notes(survey):
        out.print(line)


def _view(survey: ClockSurvey) -> Group:
    return Group(clocks_table(survey), *clock_notes(survey))


def _figures(clock: ClockReport | None) -> tuple[str, ...]:
    if clock is None:
        return ("-",) * len(_FIGURES)
    drift = "-"
    if clock.drift_ppm is not None and clock.drift_bound_ppm is not None:
        drift = f"{clock.drift_ppm:+.1f} ± {clock.drift_bound_ppm:.1f} ppm"
    trip = "-" if clock.round_trip_s is None else f"{clock.round_trip_s * 1e3:.3f} ms"
    return f"{clock.offset_s * 1e3:+.3f} ± {clock.bound_s * 1e3:.3f} ms", drift, trip


def _kept(clock: HostClock | None) -> str:
    if clock is None:
        return "-"
    state = {True: "synchronised", False: "[yellow]not synchronised[/]", None: "not known"}
    error = "" if clock.error_s is None else f", ± {clock.error_s * 1e3:.3f} ms"
    return f"{escape(clock.source or 'nothing')}: {state[clock.synchronised]}{error}"


def _shortfalls(name: str, rig: RigReport) -> list[str]:
    """Return why a rig's clock is not known, and what happened to it."""
    if rig.error:
        return [f"[red]{escape(f'{name}: {rig.error}')}[/]"]
    if rig.clock is None:
        return [escape(f"{name}: tells no clock: it is spoken to in the dialect {rig.dialect}")]
    if rig.clock.steps:
        text = f"{name}: its clock, or this computer's, jumped {rig.clock.steps} times meanwhile"
        return [f"[yellow]{escape(text)}[/]"]
    return []


def _details(name: str, clock: HostClock | None) -> list[str]:
    return [f"[dim]{escape(f'{name}: {clock.detail}')}[/]"] if clock and clock.detail else []
