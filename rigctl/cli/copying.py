"""``rigctl sessions copy``: hands a session over to another disk, and deletes it here if asked to.

From: people, scripts.  To: `recording.copying`, `recording.removal`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from rigctl.cli.exits import FAILED, fail, told
from rigctl.cli.interrupts import INTERRUPTED
from rigctl.cli.latebar import LateBar
from rigctl.cli.printing import print_json
from rigctl.cli.roots import Places, placed, rig_folders
from rigctl.errors import RigctlError, SessionNotFound
from rigctl.recording.copying import Copied, copy
from rigctl.recording.removal import remove

_MEGABYTE = 1_000_000


@click.command(name="copy")
@click.argument("target", metavar="REF")
@click.argument(
    "destination", metavar="DEST", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--rig", "rigs", metavar="RIG", multiple=True, help="only this rig's part")
@click.option("--unsealed", is_flag=True, help="copy what is not sealed, too: nothing proves it")
@click.option("--delete", is_flag=True, help="delete here what is there, all of it and unchanged")
@placed
@told
def copy_sessions(
    target: str,
    destination: Path,
    rigs: tuple[str, ...],
    unsealed: bool,
    delete: bool,
    data: tuple[str, ...],
    lab_file: str | None,
    as_json: bool,
) -> None:
    """Copy a session to DEST/<subject>/<date>/<number>/<rig>/, hashed at both ends.

    REF is a reference such as 2024-01-01_1_subject, or a session's folder. What is interrupted
    goes on when the same is said again; a copy that is there is verified; nothing is overwritten.
    derived/ is left out: exports can be made anew. Exit 0 only when all is there and verified.
    """
    folders = _chosen(rig_folders(target, Places(data, lab_file)), rigs)
    try:
        found = {
            rig: _deleted(rig, copied) if delete and copied.ok else copied
            for rig, path in folders.items()
            for copied in [_copied(rig, path, destination, unsealed)]
        }
    except KeyboardInterrupt:
        fail("interrupted: say the same again, and it goes on where it was", INTERRUPTED)
    ok = all(copied.ok for copied in found.values())
    if as_json:
        print_json({"ok": ok, "sessions": msgspec.to_builtins(found)})
    else:
        _print(found)
    sys.exit(0 if ok else FAILED)


def _chosen(folders: Mapping[str, Path], rigs: tuple[str, ...]) -> dict[str, Path]:
    for rig in rigs:
        if rig not in folders:
            raise SessionNotFound(f"no rig {rig} in this session: it has {', '.join(folders)}")
    return {rig: path for rig, path in folders.items() if not rigs or rig in rigs}


def _copied(rig: str, path: Path, destination: Path, unsealed: bool) -> Copied:
    """Return what came of one rig's part: those of others are to be copied all the same."""
    with LateBar(f"copying {rig}") as bar:
        try:
            return copy(path, destination, unsealed=unsealed, progress=bar)
        except (RigctlError, OSError) as error:
            return Copied(source=str(path), path="", ok=False, problems=[str(error)])


def _deleted(rig: str, copied: Copied) -> Copied:
    with LateBar(f"comparing {rig}") as bar:
        try:
            remove(Path(copied.source), Path(copied.path), bar)
        except (RigctlError, OSError) as error:
            problems = [f"not deleted: {error}"]
            return msgspec.structs.replace(copied, ok=False, problems=problems)
    return msgspec.structs.replace(copied, deleted=True)


def _print(found: Mapping[str, Copied]) -> None:
    for rig, copied in found.items():
        click.echo(f"{rig}: {_result(copied)}")
        if copied.derived:
            click.echo(f"  derived/: {copied.derived} files left out: they can be made anew")
        for problem in copied.problems:
            click.echo(f"  {problem}")


def _result(copied: Copied) -> str:
    if not copied.whole:
        return f"NOT COPIED: {copied.source}"
    how = "is there already, verified" if copied.was_there else "copied and verified"
    sealed = "" if copied.sealed else ", not sealed"
    what = f"{copied.files} files, {copied.bytes / _MEGABYTE:.1f} MB{sealed}"
    deleted = ", deleted here" if copied.deleted else ""
    return f"{how}, {what}{deleted}: {copied.path}"
