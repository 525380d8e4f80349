"""``rigctl sessions salvage``: what is intact of a damaged session, in a new one that verifies.

From: people, scripts.  To: `recording.salvage`.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec

from rigctl.cli.exits import FAILED, exit_code, told
from rigctl.cli.latebar import LateBar
from rigctl.cli.printing import print_json, show_grid
from rigctl.cli.roots import Places, placed, rig_folders
from rigctl.errors import RigctlError, SessionNotFound
from rigctl.recording.salvage import salvage
from rigctl.recording.salvage_report import SalvageReport, StreamSalvage, details
from rigctl.recording.salvage_session import SUFFIX

_HEADINGS = ("rig", "stream", "samples", "blocks", "left out", "samples lost", "not understood")


@click.command(name="salvage")
@click.argument("target")
@click.option(
    "--to",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="the data root of the new session; else it stands beside the damaged one",
)
@click.option(
    "--unverified",
    is_flag=True,
    help="take samples that no checksum speaks for as well, and mark them UNVERIFIED",
)
@placed
@told
def salvage_sessions(
    target: str,
    to: str | None,
    unverified: bool,
    data: tuple[str, ...],
    lab_file: str | None,
    as_json: bool,
) -> None:
    """Make a new session of all that is intact in a damaged one, which stays as it is.

    TARGET is a reference such as 2024-01-01_1_subject, or a session's folder. Exit 0 only when
    everything in it was intact or put right, and the new session verifies.
    """
    root = Path(to).expanduser().resolve() if to else None
    reports: dict[str, SalvageReport] = {}
    errors: dict[str, RigctlError] = {}
    for path in damaged_folders(target, Places(data, lab_file)):
        name = path.name if path.name not in reports.keys() | errors.keys() else str(path)
        try:
            with LateBar(f"salvaging {path.name}") as bar:
                reports[name] = salvage(path, root, unverified=unverified, progress=bar)
        except RigctlError as error:
            errors[name] = error
    _show(reports, errors, as_json)
    codes = [exit_code(error) for error in errors.values()]
    codes += [0 if report.ok else FAILED for report in reports.values()]
    sys.exit(max(codes))


def damaged_folders(target: str, places: Places) -> list[Path]:
    """Return the rig folders that a target means but for those that were themselves salvaged.

    Args:
        target: an experiment reference, the folder of a session number, or one rig's folder in it.
        places: where to look for a reference.

    Raises:
        SessionNotFound: with where it was looked for.
        ConfigError: as `data_roots`.
    """
    found, named = rig_folders(target, places).values(), Path(target).expanduser().resolve()
    meant = [path for path in found if path == named or not path.name.endswith(SUFFIX)]
    if not meant:
        raise SessionNotFound(f"no session {target} but what was salvaged from one")
    return meant


def _show(reports: dict[str, SalvageReport], errors: dict[str, RigctlError], as_json: bool) -> None:
    if as_json:
        told = {rig: {"ok": r.ok, **msgspec.to_builtins(r)} for rig, r in reports.items()}
        failed = {rig: {"ok": False, "error": str(error)} for rig, error in errors.items()}
        ok = not errors and all(report.ok for report in reports.values())
        print_json({"ok": ok, "sessions": told | failed})
    else:
        _print(reports)
    for error in errors.values():
        click.echo(f"rigctl: {error}", err=True)


def _print(reports: dict[str, SalvageReport]) -> None:
    rows = [
        _row(rig, name, stream)
        for rig, report in reports.items()
        for name, stream in report.streams.items()
    ]
    if rows:
        show_grid(_HEADINGS, rows, _HEADINGS[2:])
    for rig, report in reports.items():
        for line in _lines(rig, report):
            click.echo(line)


def _row(rig: str, name: str, stream: StreamSalvage) -> tuple[str, ...]:
    numbers: Sequence[int] = (
        *(stream.samples, stream.blocks, stream.blocks_left_out),
        *(stream.samples_lost, stream.bytes_not_understood),
    )
    return rig, name, *map(str, numbers)


def _lines(rig: str, report: SalvageReport) -> Iterator[str]:
    if report.target is None:
        yield f"{rig}: intact and sealed, there is nothing to salvage: {report.path}"
        return
    kept = "all of it" if report.complete else "NOT ALL OF IT"
    result = "the new session is intact" if report.verified else "THE NEW SESSION IS NOT INTACT"
    yield f"{rig}: salvaged, {kept}; {result}: {report.target}"
    for name, stream in report.streams.items():
        yield from (f"  {name}/: {text}" for text in (*details(stream), *stream.places))
    if report.events_put_right:
        yield f"  events.jsonl: {report.events_put_right} lines put right"
    if report.events_left_out:
        yield f"  events.jsonl: {report.events_left_out} lines left out"
    yield from (f"  {problem}" for problem in report.problems)
