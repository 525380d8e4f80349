"""Sessions of some streams, opened and exported."""

from pathlib import Path

import rigctl
from rigctl.blocks import StreamInfo
from rigctl.recording.export.job import Job
from rigctl.recording.opened import OpenRig
from tests.recording import opening


def opened(root: Path, *, split: bool = False, **streams: StreamInfo) -> OpenRig:
    """Record what there is to see in an export, in two parts on demand, and open it."""
    session, _ = opening.make(root, split=split, **streams)
    return rigctl.open_session(session.path).rig


def exported(rig: OpenRig, to: str, *streams: str) -> Path:
    """Export, and return where it is."""
    told: list[tuple[int, int]] = []
    done = Job(rig, to, streams=streams).run(lambda *progress: told.append(progress))
    assert done.path is not None
    assert told[-1][0] == told[-1][1] == sum(rig[name].samples.nbytes for name in done.streams)
    return Path(done.path)
