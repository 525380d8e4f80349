"""``rigctl sessions export``: a recording in another program's format.

From: people, scripts.  To: `recording.export`.
"""

from pathlib import Path

import click
import msgspec

from rigctl.cli.exits import told
from rigctl.cli.latebar import LateBar
from rigctl.cli.printing import print_json
from rigctl.cli.roots import Places, placed, rig_folders
from rigctl.errors import NotRecorded, RecordingError
from rigctl.recording.export.job import FORMATS, Exported, Job
from rigctl.recording.opened import OpenRig, open_session
from rigctl.recording.verify import verify


@click.command(name="export")
@click.argument("target")
@click.option("--to", type=click.Choice(list(FORMATS)), required=True, help="the format")
@click.option("--rig", metavar="RIG", help="only this rig's part; else every rig's")
@click.option(
    "--stream", "streams", metavar="STREAM", multiple=True, help="only this stream; repeatable"
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="where to write; else derived/ in the rig's folder",
)
@click.option("--force", is_flag=True, help="replace an export that is there")
@click.option("--unverified", is_flag=True, help="do not check first that the session is intact")
@placed
@told
def export_sessions(
    target: str,
    to: str,
    rig: str | None,
    streams: tuple[str, ...],
    out: Path | None,
    force: bool,
    unverified: bool,
    data: tuple[str, ...],
    lab_file: str | None,
    as_json: bool,
) -> None:
    """Write a recording in a format that other programs read.

    TARGET is a reference such as 2024-01-01_1_subject, or a session's folder. Exports lie outside
    the manifest and can be made again at any time; the recording itself is not changed.
    """
    folders = rig_folders(target, Places(data, lab_file))
    rigs = [open_session(folder).rig for folder in _chosen(folders, rig, target).values()]
    jobs = [Job(one, to, streams=streams, out=out, force=force) for one in rigs]
    if not unverified:
        for one in rigs:
            _verify(one)
    done = [_run(job) for job in jobs]
    if as_json:
        print_json({"exports": msgspec.to_builtins(done)})
    else:
        _print(done)


def _chosen(folders: dict[str, Path], rig: str | None, target: str) -> dict[str, Path]:
    """Return the folders of the rig that is meant.

    Raises:
        NotRecorded: it has no part in the session.
    """
    if rig is None:
        return folders
    if rig not in folders:
        raise NotRecorded(f"{target} has no rig {rig}: there is {', '.join(folders)}")
    return {rig: folders[rig]}


def _verify(rig: OpenRig) -> None:
    """Raise unless a rig's part is intact."""
    with LateBar(f"verifying {rig.name}") as bar:
        report = verify(rig.path, progress=bar)
    if not report.ok:
        problem = report.problems[0] if report.problems else "a stream is damaged"
        raise RecordingError(
            f"{rig.path} is not intact ({problem}): see rigctl sessions verify, or export it all "
            "the same with --unverified"
        )


def _run(job: Job) -> Exported:
    with LateBar(f"exporting {job.rig.name}") as bar:
        return job.run(bar)


def _print(done: list[Exported]) -> None:
    for one in done:
        for header in one.already:
            click.echo(f"{one.rig}: already BrainVision: {header}")
        if one.path:
            click.echo(f"{one.rig}: {one.path}")
