"""The rig's recording: the session on disk and the recorder process that fills it.

From: `daemon.rig`.  To: `daemon.recorder_link` (the recorder process), `recording`.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from rigctl import log as logs
from rigctl.config import Rig
from rigctl.daemon import opening
from rigctl.daemon.episodes import Episodes
from rigctl.daemon.recorder_link import RecorderLink
from rigctl.daemon.streams import StreamState
from rigctl.errors import RecordingError, SessionExists, StreamError
from rigctl.messages import ExpRef
from rigctl.peers.orders import Attach, Begin, Note, Noticed
from rigctl.recording.manifest import seal
from rigctl.recording.recover import recover
from rigctl.recording.session import (
    ClockOffset,
    Session,
    SessionStream,
    Window,
)
from rigctl.reports import Condition

log = logging.getLogger(__name__)

_DEFAULT_WITHIN_S = 10.0
_SHARE = 0.8
"""The part of the controller's patience in which START or STOP must be done; the rest is the
reply's."""


class Recording:
    """One session at a time, from `begin` to `seal`.

    Args:
        rig: the rig's configuration.
        streams: what is known of each stream; their counts are kept up to date here.
        changed: called whenever something was reported.
        held: descriptors that the recorder process keeps open until it has ended.
    """

    def __init__(
        self,
        rig: Rig,
        streams: Mapping[str, StreamState],
        changed: Callable[[], None],
        held: Collection[int] = (),
    ) -> None:
        self._rig = rig
        self._streams = streams
        self._recorded = {name: s for name, s in streams.items() if s.recorded}
        self.recorder = RecorderLink(rig, self._recorded, changed, held)
        self._window: Window | None = None
        self._episodes = Episodes()
        self._offsets: list[ClockOffset] = []
        self._unsaved = False
        self._log_file: logging.Handler | None = None
        self._writing = asyncio.Lock()
        self.session: Session | None = None

    def path_of(self, exp_ref: ExpRef) -> Path:
        """Return where a session's folder is, or would be."""
        return self._rig.data_root / exp_ref.folder / self._rig.name

    def check_free(self, exp_ref: ExpRef) -> None:
        """Raise if the session's folder exists.

        Raises:
            SessionExists: it does; nothing of it is touched.
        """
        path = self.path_of(exp_ref)
        if path.exists():
            raise SessionExists(
                f"{path} exists already and nothing is overwritten: choose another number"
            )

    async def open(self) -> None:
        """Start the recorder process, so that START finds it warm.

        Raises:
            RecordingError: the data root cannot be written, or the process does not start.
        """
        if self._recorded:
            await asyncio.to_thread(opening.check_writable, self._rig)
            await self.recorder.open()

    async def begin(
        self, exp_ref: ExpRef, within_s: float | None, start_s: float | None = None
    ) -> None:
        """Create the session and return when every required stream has samples on disk.

        Raises:
            SessionExists: its folder is there already.
            StreamError: a stream, which is named, has no sample on disk in time.
            RecordingError: the disk refuses.
        """
        self.session = await self._create(exp_ref)
        await self._record(Window(start_unix_s=_unix_s(start_s)))
        if self._recorded:
            await self._until_durable((within_s or _DEFAULT_WITHIN_S) * _SHARE)
        await self._update(state="RUNNING", window=self._window)

    async def resume(self, path: Path, since_unix_s: float | None) -> None:
        """Go on with a session that was recovered, after a crash.

        Raises:
            RecordingError: it cannot be opened or written.
        """
        session = self.session = Session.open(path)
        await self._record(session.record.window or Window(start_unix_s=since_unix_s or 0.0))
        await self._update(state="RUNNING", window=self._window)

    def adopt(self, path: Path) -> None:
        """Make a session that was stopped and not sealed the current one again.

        Raises:
            RecordingError: it cannot be opened.
        """
        self.session = Session.open(path)

    def note_clock(self, sample: ClockOffset) -> None:
        """Keep what a controller says of this rig's clock; it is saved with what follows."""
        if self.session and self._window:
            self._offsets.append(sample)
            self._unsaved = True

    async def end(self, within_s: float | None = None, stop_s: float | None = None) -> None:
        """Write what has arrived and close all files.

        Raises:
            RecordingError: the recorder is gone or not done yet; what is on disk stays.
        """
        if self._window:
            self._window = msgspec.structs.replace(self._window, stop_unix_s=_unix_s(stop_s))
            self._episodes.look((), time.time())
        try:
            await self.recorder.finish((within_s or _DEFAULT_WITHIN_S) * _SHARE)
        finally:
            for stream in self._recorded.values():
                stream.end_session()
            window, self._window = self._window, None
            await self._update(
                state="STOPPED",
                window=window,
                episodes=self._episodes.all,
                clock_offsets=tuple(self._offsets),
            )

    async def abandon(self, reason: str, within_s: float | None = None) -> None:
        """Set a session aside that is not to be, so that its reference is free again.

        Raises:
            RecordingError: it cannot be renamed.
        """
        with contextlib.suppress(RecordingError):
            await self.end(within_s)
        session, self.session = self.session, None
        if session:
            self._close_log()
            async with self._writing:
                path = await asyncio.to_thread(session.set_aside, reason)
            log.warning("the recording so far is kept in %s", path)

    async def seal(self) -> None:
        """Seal the session: its manifest is the last thing that is written.

        Raises:
            RecordingError: a file cannot be read or written.
        """
        session, self.session = self.session, None
        if session is None:
            return
        try:
            await self.recorder.finish(None)
        finally:
            self._close_log()
        async with self._writing:
            await asyncio.to_thread(self._seal, session)
        log.info("sealed %s", session.path)

    def see(self, conditions: Iterable[Condition]) -> None:
        """Note what is wrong with the session at present, and what no longer is."""
        if self._window and self._episodes.look(conditions, time.time()):
            self._unsaved = True

    async def save_episodes(self) -> None:
        """Have ``session.json`` say what was noted."""
        if not self._unsaved:
            return
        self._unsaved = False
        try:
            await self._update(episodes=self._episodes.all, clock_offsets=tuple(self._offsets))
        except RecordingError as error:
            log.error("the session cannot say what is wrong with it: %s", error)

    def attach(self, stream: str, ring: str) -> None:
        """A stream goes on in another ring."""
        if stream in self._recorded:
            self.recorder.tell(Attach(stream, ring))

    def note(self, stream: str, noticed: Noticed) -> None:
        """Put something that a source noticed among the session's events."""
        if stream in self._recorded:
            self.recorder.tell(Note(stream, noticed.kind, noticed.text, noticed.facts, noticed.at))

    async def _record(self, window: Window) -> None:
        """Have the recorder record into the current session from now on."""
        assert self.session
        path, record = self.session.path, self.session.record
        log.info("session %s in %s", record.reference, path)
        self._episodes, self._offsets = Episodes(record.episodes), []
        self._log_file = await asyncio.to_thread(opening.open_log, path)
        for stream in self._recorded.values():
            stream.begin_session()
        self._window = window
        if self._recorded:
            rings = {n: s.opened.ring if s.opened else None for n, s in self._recorded.items()}
            self.recorder.begin(Begin(str(path), record.reference, rings))

    def _seal(self, session: Session) -> None:
        if self._recorded and self.recorder.digests is None:
            # The recorder did not come to its end: a torn tail is moved aside first.
            recover(session.path)
            session = Session.open(session.path)
        episodes = (*session.record.episodes, *self._episodes.all)
        session.update(episodes=tuple(dict.fromkeys(episodes)), streams=self._session_streams())
        seal(session, self.recorder.digests)

    async def _create(self, exp_ref: ExpRef) -> Session:
        place = (self._rig.data_root, exp_ref, self._rig.name)
        creating = asyncio.to_thread(
            Session.create, *place, opening.header(self._rig, self._session_streams())
        )
        task = asyncio.create_task(creating, name=f"create {exp_ref}")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self.session = await task  # it is there all the same, to be set aside
            raise

    async def _until_durable(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while waiting := self._without_samples():
                    await self.recorder.progress()
        except TimeoutError:
            why = "; ".join(f"{n}: {self._streams[n].situation.text}" for n in waiting)
            text = f"no sample on disk within {timeout_s:.1f} s of stream {why}"
            raise StreamError(text) from None

    def _without_samples(self) -> list[str]:
        """Return the required streams that have nothing on disk yet.

        Raises:
            StreamError: one of them failed.
        """
        required = {n: s for n, s in self._recorded.items() if s.entry.required}
        for name, stream in required.items():
            if stream.counts.failure:
                raise StreamError(f"stream {name} cannot be recorded: {stream.counts.failure}")
        return [name for name, stream in required.items() if not stream.counts.durable_samples]

    async def _update(self, **changes: object) -> None:
        async with self._writing:
            if self.session:
                await asyncio.to_thread(self.session.update, **changes)

    def _close_log(self) -> None:
        if self._log_file:
            logs.remove(self._log_file)
            self._log_file = None

    def _session_streams(self) -> dict[str, SessionStream]:
        return {
            name: SessionStream(
                required=stream.entry.required,
                device=stream.entry.device,
                failure=stream.counts.failure,
            )
            for name, stream in self._recorded.items()
        }


def _unix_s(monotonic_s: float | None) -> float:
    return time.time() + (0.0 if monotonic_s is None else monotonic_s - time.monotonic())
