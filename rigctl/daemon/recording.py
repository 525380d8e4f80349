"""The rig's recording: the session on disk and the recorder process that fills it.

From: `daemon.daemon`.  To: `peers.recorder`, `recording`.
"""

import asyncio
import contextlib
import logging
import platform
import socket
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from rigctl import log as logs
from rigctl.config import Rig
from rigctl.daemon.streams import StreamState
from rigctl.errors import RecordingError, SessionExists, StreamError
from rigctl.messages import PROTOCOL_VERSION, ExpRef
from rigctl.peers.orders import Attach, Begin, Counts, Ended, Finish, Progress, RecorderSetup
from rigctl.peers.process import Worker
from rigctl.recording.layout import LOG
from rigctl.recording.manifest import seal
from rigctl.recording.session import (
    ClockPair,
    Session,
    SessionHeader,
    SessionStream,
    Window,
)

log = logging.getLogger(__name__)

_DEFAULT_WITHIN_S = 10.0
_SHARE = 0.8
"""The part of the controller's patience in which START must succeed; the rest is the reply's."""
_FINISH_S = 30.0
"""How long the recorder may take to write what has arrived and close its files."""


class Recording:
    """One session at a time, from `begin` to `seal`.

    Args:
        rig: the rig's configuration.
        streams: what is known of each stream; their counts are kept up to date here.
        changed: called whenever something was reported.
    """

    def __init__(
        self, rig: Rig, streams: Mapping[str, StreamState], changed: Callable[[], None]
    ) -> None:
        self._rig = rig
        self._streams = streams
        self._changed = changed
        self._worker: Worker | None = None
        self._listening: asyncio.Task[None] | None = None
        self._progress = asyncio.Event()
        self._ended: asyncio.Future[Ended] | None = None
        self._digests: Ended | None = None
        self._window: Window | None = None
        self._log_file: logging.Handler | None = None
        self.session: Session | None = None

    def check_free(self, exp_ref: ExpRef) -> None:
        """Raise if the session's folder exists.

        Raises:
            SessionExists: it does; nothing of it is touched.
        """
        path = self._rig.data_root / exp_ref.folder / self._rig.name
        if path.exists():
            raise SessionExists(
                f"{path} exists already and nothing is overwritten: choose another number"
            )

    async def open(self) -> None:
        """Start the recorder process, so that START finds it warm."""
        if self._worker is None and self._recorded:
            setup = RecorderSetup(self._rig.name, self._rig.flush_s)
            worker = await Worker.start("rigctl.peers.recorder", "recorder", setup)
            self._worker = worker
            self._listening = asyncio.create_task(self._listen(worker), name="recorder")

    async def begin(self, exp_ref: ExpRef, within_s: float | None) -> None:
        """Create the session and return when every required stream has samples on disk.

        Raises:
            SessionExists: its folder is there already.
            StreamError: a stream, which is named, has no sample on disk in time.
            RecordingError: the disk refuses.
        """
        self.session = await self._create(exp_ref)
        self._log_file = logs.add_file(self.session.path / LOG)
        log.info("session %s in %s", exp_ref, self.session.path)
        self._digests = None
        for stream in self._recorded.values():
            stream.counts = Counts()
        if self._worker:
            rings = {n: s.opened.ring if s.opened else None for n, s in self._recorded.items()}
            self._ended = asyncio.get_running_loop().create_future()
            self._worker.send(Begin(str(self.session.path), str(exp_ref), rings))
            self._window = Window(start_unix_s=time.time())
            await self._until_durable((within_s or _DEFAULT_WITHIN_S) * _SHARE)
        await self._update(state="RUNNING", window=self._window)

    async def end(self) -> None:
        """Write what has arrived and close all files.

        Raises:
            RecordingError: the recorder is gone or does not finish; what is on disk stays.
        """
        if self._window:
            self._window = msgspec.structs.replace(self._window, stop_unix_s=time.time())
        try:
            if self._worker and self._ended:
                await self._finish(self._worker, self._ended)
        finally:
            self._ended = None
            await self._update(state="STOPPED", window=self._window)
            self._window = None

    async def abandon(self, reason: str) -> None:
        """Set a session aside that is not to be, so that its reference is free again."""
        with contextlib.suppress(RecordingError):
            await self.end()
        if self.session:
            self._close_log()
            path = await asyncio.to_thread(self.session.set_aside, reason)
            log.warning("the recording so far is kept in %s", path)
            self.session = None

    async def seal(self) -> None:
        """Seal the session: its manifest is the last thing that is written.

        Raises:
            RecordingError: a file cannot be read or written.
        """
        session, self.session = self.session, None
        if session is None:
            return
        self._close_log()
        digests = self._digests.digests if self._digests else None
        await asyncio.to_thread(seal, session, digests)
        log.info("sealed %s", session.path)

    async def close(self) -> None:
        """End the recorder process."""
        worker, self._worker = self._worker, None
        if worker:
            await worker.stop()
        if self._listening:
            await self._listening
            self._listening = None

    def attach(self, stream: str, ring: str) -> None:
        """A stream goes on in another ring."""
        if self._worker and self._ended and stream in self._recorded:
            self._worker.send(Attach(stream, ring))

    @property
    def _recorded(self) -> dict[str, StreamState]:
        return {name: stream for name, stream in self._streams.items() if stream.recorded}

    async def _create(self, exp_ref: ExpRef) -> Session:
        place = (self._rig.data_root, exp_ref, self._rig.name)
        creating = asyncio.to_thread(Session.create, *place, self._header())
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
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            why = "; ".join(f"{n}: {self._streams[n].situation.text}" for n in waiting)
            raise StreamError(
                f"no sample on disk within {timeout_s:.1f} s of stream {why}"
            ) from None

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

    async def _finish(self, worker: Worker, ended: "asyncio.Future[Ended]") -> None:
        worker.send(Finish())
        try:
            async with asyncio.timeout(_FINISH_S):
                self._digests = await asyncio.shield(ended)
        except TimeoutError:
            raise RecordingError(
                f"the recorder did not close its files within {_FINISH_S:g} s; see the log"
            ) from None
        self._take_counts(self._digests.streams)

    async def _listen(self, worker: Worker) -> None:
        async for report in worker.reports():
            match report:
                case Progress(streams):
                    self._take_counts(streams)
                case Ended() if self._ended and not self._ended.done():
                    self._ended.set_result(report)
        if self._worker is worker:
            await self._lost(worker)

    async def _lost(self, worker: Worker) -> None:
        """The recorder is gone unasked: nothing is recorded any more, and that is said."""
        self._worker = None
        await worker.stop()
        text = f"the recorder process ended by itself (exit code {worker.exit_code})"
        log.error("%s", text)
        for stream in self._recorded.values():
            stream.counts = msgspec.structs.replace(stream.counts, failure=text)
        if self._ended and not self._ended.done():
            self._ended.set_exception(RecordingError(text))
            self._ended.exception()  # asked for by `end`, if at all
        self._progress.set()
        self._changed()

    def _take_counts(self, counts: Mapping[str, Counts]) -> None:
        for name, count in counts.items():
            self._streams[name].counts = count
        self._progress.set()
        self._changed()

    async def _update(self, **changes: Any) -> None:
        if self.session:
            await asyncio.to_thread(self.session.update, **changes)

    def _close_log(self) -> None:
        if self._log_file:
            logs.remove(self._log_file)
            self._log_file = None

    def _header(self) -> SessionHeader:
        return SessionHeader(
            state="STARTING",
            host=socket.gethostname(),
            clock=ClockPair.now(),
            versions={
                "rigctl": version("rigctl"),
                "python": platform.python_version(),
                "protocol": PROTOCOL_VERSION,
            },
            config=self._rig.document.values if self._rig.document else {},
            streams={
                name: SessionStream(required=s.entry.required, device=s.entry.device)
                for name, s in self._recorded.items()
            },
        )
