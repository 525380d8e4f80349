"""``rigctl sessions``: what was recorded, whether it is intact, and more in files of their own.

From: people, scripts.  To: `recording`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from rigctl.cli.copying import copy_sessions
from rigctl.cli.exits import FAILED, told
from rigctl.cli.exporting import export_sessions
from rigctl.cli.latebar import LateBar
from rigctl.cli.printing import print_json, show_grid, yes
from rigctl.cli.roots import Places, data_roots, placed, rig_folders
from rigctl.cli.salvaging import salvage_sessions
from rigctl.cli.session_facts import (
    SessionFacts,
    duration,
    iso_time,
    local_time,
    longest_s,
    read_facts,
)
from rigctl.cli.session_text import (
    STREAM_HEADINGS,
    STREAM_NUMBERS,
    fact_lines,
    file_lines,
    stream_row,
)
from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.durable import naming
from rigctl.recording.reader import DAMAGED, SessionEntry, find_sessions
from rigctl.recording.verify import SessionReport, verify

_LIST_HEADINGS = (
    *("reference", "rig", "started", "duration"),
    *("streams", "samples", "state", "sealed"),
)
_VERIFY_HEADINGS = ("rig", "stream", "samples", "missing", "gaps", "bad chunks", "result")


@click.group()
def sessions() -> None:
    """Look at recordings, prove that they are intact, and hand them over.

    They are looked for in every --data DIR; else in the folders of $RIGCTL_DATA; else in the lab
    file's data_root; else in ./data.
    """


sessions.add_command(copy_sessions)
sessions.add_command(export_sessions)
sessions.add_command(salvage_sessions)


@sessions.command(name="list")
@placed
@told
def list_sessions(data: tuple[str, ...], lab_file: str | None, as_json: bool) -> None:
    """List all sessions, oldest first."""
    roots = data_roots(Places(data, lab_file))
    entries: list[SessionEntry] = []
    for root in roots:
        with naming(root):
            entries += find_sessions(root)
    if as_json:
        listed = [_listed(entry) for entry in entries]
        print_json({"data_roots": list(map(str, roots)), "sessions": listed})
    elif entries:
        show_grid(_LIST_HEADINGS, [_list_row(entry) for entry in entries], ("duration",))
    else:
        click.echo(f"no sessions in {', '.join(map(str, roots))}", err=True)


@sessions.command()
@click.argument("target")
@placed
@told
def show(target: str, data: tuple[str, ...], lab_file: str | None, as_json: bool) -> None:
    """Show what a session holds and how to open it.

    TARGET is a reference such as 2024-01-01_1_subject, or a session's folder.
    """
    folders = rig_folders(target, Places(data, lab_file))
    found = {rig: read_facts(path) for rig, path in folders.items()}
    if as_json:
        print_json({"sessions": msgspec.to_builtins(found)})
    else:
        for facts in found.values():
            _print_facts(facts)
    sys.exit(FAILED if any(facts.problems for facts in found.values()) else 0)


@sessions.command(name="verify")
@click.argument("target")
@click.option("--full", is_flag=True, help="compare every file with the manifest's hashes, too")
@placed
@told
def verify_sessions(
    target: str, full: bool, data: tuple[str, ...], lab_file: str | None, as_json: bool
) -> None:
    """Check every sample, event and file of a session; exit 0 only when all is intact.

    TARGET is a reference such as 2024-01-01_1_subject, or a session's folder.
    """
    folders = rig_folders(target, Places(data, lab_file))
    reports = {rig: _verified(path, full) for rig, path in folders.items()}
    ok = all(report.ok for report in reports.values())
    if as_json:
        print_json({"ok": ok, "sessions": msgspec.to_builtins(reports)})
    else:
        _print_reports(reports)
    sys.exit(0 if ok else FAILED)


def _listed(entry: SessionEntry) -> dict[str, Any]:
    started = entry.start_unix_s
    return {
        **msgspec.to_builtins(entry),
        "started": None if started is None else iso_time(started),
        "duration_s": _lasted_s(entry),
    }


def _lasted_s(entry: SessionEntry) -> float | None:
    return longest_s(Path(entry.path), entry.samples)


def _list_row(entry: SessionEntry) -> tuple[str, ...]:
    return (
        entry.ref,
        Path(entry.path).name,  # as other commands name it: a salvaged one stands beside its rig's
        "-" if entry.start_unix_s is None else local_time(entry.start_unix_s),
        duration(_lasted_s(entry)),
        ", ".join(entry.samples) or "-",
        ", ".join(map(str, entry.samples.values())) or "-",
        entry.state,
        yes(entry.sealed),
    )


def _print_facts(facts: SessionFacts) -> None:
    reference = facts.session.reference if facts.session else "session"
    click.echo(f"{reference} {facts.rig}")
    for line in fact_lines(facts):
        click.echo(line)
    if facts.streams:
        rows = [stream_row(name, stream) for name, stream in facts.streams.items()]
        click.echo()
        show_grid(STREAM_HEADINGS, rows, STREAM_NUMBERS)
        click.echo()
    for name, stream in facts.streams.items():
        for line in file_lines(name, stream):
            click.echo(line)


def _verified(path: Path, full: bool) -> SessionReport:
    """Return a rig's report, also when its folder cannot be read: others' are to be seen then."""
    with LateBar(f"verifying {path.name}") as bar:
        try:
            return verify(path, full=full, progress=bar)
        except (RecordingError, OSError) as error:
            return _unreadable(path, str(error))


def _unreadable(path: Path, problem: str) -> SessionReport:
    return SessionReport(
        path=str(path),
        ref="",
        rig=path.name,
        state=DAMAGED,
        ok=False,
        sealed=(path / layout.MANIFEST).exists(),
        problems=[problem],
        streams={},
    )


def _print_reports(reports: Mapping[str, SessionReport]) -> None:
    rows = [row for rig, report in reports.items() for row in _verify_rows(rig, report)]
    show_grid(_VERIFY_HEADINGS, rows, _VERIFY_HEADINGS[2:6])
    for rig, report in reports.items():
        result = "intact" if report.ok else "NOT INTACT"
        sealed = "sealed" if report.sealed else "not sealed"
        click.echo(f"{rig}: {result}, {report.state}, {sealed}: {report.path}")
        for problem in report.problems:
            click.echo(f"  {problem}")


def _verify_rows(rig: str, report: SessionReport) -> list[tuple[str, ...]]:
    if not report.streams:
        return [(rig, "-", "-", "-", "-", "-", _result(report.ok))]
    return [
        (
            *(rig, name, str(stream.samples), str(stream.missing_samples)),
            *(str(stream.gaps), str(stream.bad_chunks), _result(stream.ok)),
        )
        for name, stream in report.streams.items()
    ]


def _result(ok: bool) -> str:
    return "ok" if ok else "DAMAGED"
