"""The disk of the data root: what is free, what it takes a second, and what follows from that.

From: the file system, the streams' layouts.  To: `daemon.guard`, which judges; `daemon.actions`,
which begins nothing that has no room; `daemon.selfreport`, `daemon.lastcall`.
"""

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rigctl.blocks import StreamInfo
from rigctl.config import Rig
from rigctl.config.units import size_text
from rigctl.daemon.guard import Budget, Guard, Level, Load, Space
from rigctl.daemon.streams import StreamState
from rigctl.errors import RecordingError
from rigctl.recording.index import RECORD_BYTES
from rigctl.recording.part_chain import RESERVE_S
from rigctl.recording.stream_files import MAX_APPENDS_HZ
from rigctl.reports import DiskReport

log = logging.getLogger(__name__)

_EVERY_S = 1.0
"""How often what is free is looked at."""

_ENDING_S = 5.0
"""What closing the files may take, beside the hook of the service."""

_PIECE_BYTES = 2 << 20
_PIECES = 4
_PROBE_S = 0.5
"""No further piece is written after this."""
_PROBE_WAIT_S = 5.0
_PROBE_SHARE = 8
"""At most this part of what is free is written to see how fast that is."""

_EVENTS_BYTES_S = 1000.0
"""Markers, events and logs of a stream."""

_STAT_BLOCK_BYTES = 512


class Disk:
    """The disk that a rig records to.

    Args:
        rig: its configuration.
        streams: what is known of each stream.
    """

    def __init__(self, rig: Rig, streams: Mapping[str, StreamState]) -> None:
        self._root = rig.data_root
        self._limits = rig.disk
        self._recorded = [stream for stream in streams.values() if stream.recorded]
        self._ending_s = rig.hook_timeout_s + _ENDING_S
        self._guard = self._new_guard()
        self._space: Space | None = None
        self._write_bytes_s: float | None = None
        self._looking: asyncio.Future[Space | None] | None = None
        self._due_s = 0.0
        self.ended = ""
        """Why the last recording was ended; empty where that was not for lack of space."""

    @property
    def warning(self) -> str:
        """That little is left for the recording, for people; empty while it is not so."""
        if self._guard.level is Level.OK:
            return ""
        free = size_text(self._space.free_bytes if self._space else 0)
        floor = size_text(self._guard.floor_bytes)
        return (
            f"only {free} are free in {self._root}: the recording is ended below {floor}; "
            "free some space"
        )

    def report(self) -> DiskReport | None:
        """Return what a status report says of it; None before it was looked at."""
        if self._space is None:
            return None
        self._guard.load = self._load()
        return DiskReport(
            free_bytes=self._space.free_bytes,
            floor_bytes=self._guard.floor_bytes,
            lasts_s=self._guard.lasts_s(self._space),
        )

    async def probe(self) -> None:
        """Measure how much is written in a second; what is written for that is gone at once.

        Raises:
            RecordingError: nothing can be written.
        """
        if self._recorded:
            self._write_bytes_s = await _measured_speed(self._root)

    async def check(self, planned_s: float | None) -> None:
        """Check that what is to be recorded has room, and comes no faster than it is written.

        Streams that have not begun yet count nothing: nobody knows what they will bring. Where the
        floor is 0 nothing is asked for.

        Args:
            planned_s: for how long; None for what the rig file says.

        Raises:
            RecordingError: with figures, and what to do.
        """
        self._guard.load = load = self._load()
        if not (load.bytes_s and self._limits.floor_bytes):
            return
        duration_s = self._limits.duration_s if planned_s is None else planned_s
        budget = Budget(load, duration_s, self._guard.low_bytes)
        self._space = await asyncio.to_thread(_measured_space, self._root, None)
        problem = budget.shortfall(self._space, str(self._root)) if self._space else ""
        if problem or (problem := await self._slowness(budget)):
            raise RecordingError(problem)

    @property
    def is_known(self) -> bool:
        """Whether all recorded streams have told what they bring."""
        return all(stream.info for stream in self._recorded)

    def begin(self) -> None:
        """A recording begins."""
        self._guard = self._new_guard()
        self.ended = ""

    def look(self, now_s: float, session: Path | None) -> Level:
        """Take what was found free, and have it looked at again when it is time.

        Args:
            now_s: on the rig's clock; called twice a second.
            session: the folder that is recorded to; None where nothing is.
        """
        if self._looking and self._looking.done():
            self._take(now_s, self._looking.result(), is_recording=session is not None)
            self._looking = None
        if self._looking is None and now_s >= self._due_s:
            self._due_s = now_s + _EVERY_S
            loop = asyncio.get_running_loop()  # not awaited: a disk that hangs holds up nobody
            self._looking = loop.run_in_executor(None, _measured_space, self._root, session)
        return self._guard.level if session else Level.OK

    def _take(self, now_s: float, space: Space | None, *, is_recording: bool) -> None:
        self._space = space
        if space is None or not is_recording:
            return
        before, self._guard.load = self._guard.level, self._load()
        level = self._guard.look(now_s, space)
        if level is before:
            return
        if level is Level.STOP:
            floor = size_text(self._guard.floor_bytes)
            self.ended = (
                f"ended because only {size_text(space.free_bytes)} were free in {self._root}, "
                f"less than the floor of {floor}; what was recorded until then is whole"
            )
            log.error("the recording is %s", self.ended)
        elif level is Level.LOW:
            log.warning("%s", self.warning)
        else:
            log.warning("%s are free again in %s", size_text(space.free_bytes), self._root)

    async def _slowness(self, budget: Budget) -> str:
        if self._write_bytes_s is None:
            return ""
        problem = budget.slowness(self._write_bytes_s, str(self._root))
        if problem:  # another program may have kept the disk busy just then
            again = await _measured_speed(self._root)
            self._write_bytes_s = max(self._write_bytes_s, again or 0.0)
            problem = budget.slowness(self._write_bytes_s, str(self._root))
        return problem

    def _new_guard(self) -> Guard:
        return Guard(self._limits, self._ending_s)

    def _load(self) -> Load:
        """Return what all recorded streams bring, as far as they have told."""
        bytes_s = sum(load_of(stream.info) for stream in self._recorded if stream.info)
        return Load(bytes_s, bytes_s * RESERVE_S)


def load_of(info: StreamInfo) -> float:
    """Return how many bytes a stream brings to the disk in a second, index and events included."""
    rate_hz = float(info.rate_hz)
    index = min(rate_hz, MAX_APPENDS_HZ) * RECORD_BYTES
    return rate_hz * info.frame_bytes + index + _EVENTS_BYTES_S


async def _measured_speed(root: Path) -> float | None:
    """Return how many bytes are written in a second; None where there is no room to try.

    Raises:
        RecordingError: they cannot be written.
    """
    writing = asyncio.get_running_loop().run_in_executor(None, _write_some, root)
    done, _ = await asyncio.wait([writing], timeout=_PROBE_WAIT_S)
    if not done:
        log.warning("%s: %d MB take longer than %g s", root, _PIECE_BYTES >> 20, _PROBE_WAIT_S)
        writing.add_done_callback(_forget)
        return _PIECE_BYTES / _PROBE_WAIT_S
    try:
        return writing.result()
    except OSError as error:
        text = f"data_root {root} cannot be written: {error.strerror or error}"
        raise RecordingError(text) from error


def _write_some(root: Path) -> float | None:
    """Write to a file without a name, which leaves nothing behind whatever happens."""
    space = _measured_space(root, None)
    pieces = min(space.free_bytes // _PROBE_SHARE // _PIECE_BYTES, _PIECES) if space else 0
    if not pieces:
        return None
    piece, done = os.urandom(_PIECE_BYTES), 0  # what cannot be compressed
    with tempfile.TemporaryFile(dir=root, buffering=0) as file:
        began_s = time.perf_counter()
        while done < pieces and time.perf_counter() - began_s < _PROBE_S:
            file.write(piece)
            os.fdatasync(file.fileno())
            done += 1
        return done * _PIECE_BYTES / max(time.perf_counter() - began_s, 1e-6)


def _measured_space(root: Path, session: Path | None) -> Space | None:
    """Return what is free, and reserved for a session; None where that cannot be told."""
    try:
        facts = os.statvfs(_existing(root))
        return Space(facts.f_bavail * facts.f_frsize, _ahead_bytes(session) if session else 0)
    except OSError as error:
        log.debug("%s: what is free cannot be told: %s", root, error)
        return None


def _ahead_bytes(session: Path) -> int:
    """Return what is held for files beyond their ends."""
    facts = (path.stat() for path in session.glob("*/data*"))
    return sum(max(one.st_blocks * _STAT_BLOCK_BYTES - one.st_size, 0) for one in facts)


def _existing(path: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next((one for one in (path, *path.parents) if one.exists()), path)


def _forget(writing: asyncio.Future[float | None]) -> None:
    """Take note of what came of it too late."""
    if not writing.cancelled() and (error := writing.exception()):
        log.warning("a disk that was too slow at INIT: %s", error)
