"""Sessions that a daemon before us left open: put in order and sealed.

From: the data root, when the daemon starts.  To: `recording.recover`; what was found is told as the
condition RECOVERED until the next session begins.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from rigctl.config import Rig
from rigctl.errors import RecordingError
from rigctl.peers.former import find_former
from rigctl.recording.layout import read_stream_header, stream_folders
from rigctl.recording.manifest import seal
from rigctl.recording.recover import Recovery, find_unsealed, recover
from rigctl.recording.session import Session
from rigctl.reports import Condition

log = logging.getLogger(__name__)


def find_left(rig: Rig, taken: Path | None = None) -> list[Path]:
    """Return the rig's unsealed sessions; called before it can begin another one.

    Args:
        rig: the rig's configuration.
        taken: the one that the journal knows of, which is left out.
    """
    ours = taken and taken.resolve()
    try:
        found = find_unsealed(rig.data_root, rig.name)
        return [path for path in found if path.resolve() != ours]
    except (RecordingError, OSError) as error:
        log.error("sessions left open could not be looked for: %s", error)
        return []


async def recover_left(found: list[Path], tell: Callable[[Condition], None]) -> None:
    """Recover and seal sessions, one after the other, beside all else.

    Args:
        found: what `find_left` returned.
        tell: told what was found of each.
    """
    for path in found:
        try:
            tell(await asyncio.to_thread(_recover, path))
        except RecordingError as error:
            log.error("not recovered: %s", error)
            tell(Condition("RECOVERED", "", f"{path} could not be put in order: {error}"))


def account(found: Recovery) -> str:
    """Return what a recovery kept and set aside, for people."""
    kept = ", ".join(f"{name}: {s.samples} samples kept" for name, s in found.streams.items())
    torn = found.events_torn_bytes + sum(s.torn_bytes for s in found.streams.values())
    return f"{kept or 'no stream'}; {torn} bytes set aside"


def last_recorded_unix_s(path: Path, since_unix_s: float | None) -> float | None:
    """Return when the last sample of a recovered session was taken; None if nobody knows.

    Its files tell no time: the recorder that a killed daemon leaves behind touches them as it ends.

    Args:
        path: its folder.
        since_unix_s: when it was last seen to be recorded, for one from before a restart of the
            computer.
    """
    try:
        names = {read_stream_header(folder).name for folder in stream_folders(path)}
        formers = [find_former(path, name, since_unix_s) for name in names]
    except RecordingError as error:
        log.warning("when it was last recorded is not known: %s", error)
        return since_unix_s
    times = [former.since_unix_s for former in formers if former and former.since_unix_s]
    return max(times, default=since_unix_s)


def _recover(path: Path) -> Condition:
    found = recover(path)
    seal(Session.open(path))
    text = f"{path} was left open and is sealed now; {account(found)}"
    log.warning("%s", text)
    return Condition("RECOVERED", "", text)
