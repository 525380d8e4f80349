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
from rigctl.cli.roots import Places, data_roots
from rigctl.errors import BadReference, RigctlError, SessionNotFound
from rigctl.messages import ExpRef
from rigctl.recording.layout import holds_session, is_set_aside
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
@click.option(
    *("--data", "data"),
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="a data root; may be given several times",
)
@click.option("--config", "lab_file", metavar="FILE", help="the lab file")
@click.option("--json", "as_json", is_flag=True, help="report as JSON")
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
    """Return the rig folders that a target means, those without a `session.json` included.

    Args:
        target: an experiment reference, the folder of a session number, or one rig's folder in it.
        places: where to look for a reference.

    Raises:
        SessionNotFound: with where it was looked for.
        ConfigError: as `data_roots`.
    """
    path = Path(target).expanduser()
    folders = [path.resolve()] if path.is_dir() else _referred(target, places)
    found = [rig for folder in folders for rig in _rigs(folder)]
    if not found:
        looked = ", ".join(map(str, folders)) or "no data root"
        raise SessionNotFound(f"no session {target}: looked in {looked}")
    return found


def _referred(target: str, places: Places) -> list[Path]:
    try:
        folder = ExpRef.parse(target).folder
    except BadReference as error:
        raise SessionNotFound(f"{target} is neither a folder nor a reference: {error}") from error
    return [root / folder for root in data_roots(places)]


def _rigs(folder: Path) -> list[Path]:
    if holds_session(folder):
        return [folder]
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in inside if _is_meant(path) and holds_session(path)]


def _is_meant(path: Path) -> bool:
    """Whether a folder is not itself salvaged from another, or set aside."""
    return not (is_set_aside(path.name) or path.name.endswith(SUFFIX))


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
