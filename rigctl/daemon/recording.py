"""The rig's recording: the session on disk and the recorder process that fills it.

From: `daemon.rig`.  To: `daemon.recorder_link` (the recorder process), `recording`.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path

from rigctl import log as logs
from rigctl.config import Rig
from rigctl.daemon import opening
from rigctl.daemon.chronicle import Chronicle
from rigctl.daemon.first_samples import until_begun, until_durable
from rigctl.daemon.recorder_link import RecorderLink
from rigctl.daemon.session_facts import counts_of, header_of, streams_of
from rigctl.daemon.streams import StreamState
from rigctl.errors import RecordingError
from rigctl.messages import ExpRef
from rigctl.peers.orders import Attach, Begin, Note, Noticed
from rigctl.recording.manifest import seal
from rigctl.recording.recover import is_in_order, recover
from rigctl.recording.session import ClockOffset, Session, open_unsealed, wall_s
from rigctl.reports import Condition

log = logging.getLogger(__name__)

_DEFAULT_WITHIN_S = 10.0
_SHARE = 0.8
"""The part of the controller's patience in which START or STOP must be done; the rest is the
reply's."""
_AFTER_START_S = 2.0
"""How long after an instant in the future the first samples may come at the least."""

_SAVED_WITHIN_S = 1.0
"""How long what looks at the streams twice a second waits for ``session.json`` to be written."""


class Recording:
    """One session at a time, from `begin` (or `resume`, or `adopt`) to `seal`.

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
        self._chronicle = Chronicle()
        self._saving: asyncio.Task[None] | None = None
        self._is_adopted = False
        self._log_file: logging.Handler | None = None

    @property
    def session(self) -> Session | None:
        """The session that is recorded, or was and is not sealed yet."""
        return self._chronicle.session

    def path_of(self, exp_ref: ExpRef) -> Path:
        """Return where a session's folder is, or would be."""
        return opening.path_of(self._rig, exp_ref)

    def check_free(self, exp_ref: ExpRef) -> None:
        """Raise if the session's folder exists.

        Raises:
            SessionExists: it does; nothing of it is touched.
        """
        opening.check_free(self._rig, exp_ref)

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

        With a pre-roll the recording begins so much earlier, as far as the rings have it; the
        window begins with the instant all the same, and ``positions`` say where that lies.

        Args:
            exp_ref: its reference.
            within_s: how long the controller waits; an instant in the future is waited for in any
                case.
            start_s: the instant on the rig's clock with which it begins, also a past one that the
                rings still have; None for what comes from now on.

        Raises:
            SessionExists: its folder is there already.
            StreamError: a stream, which is named, has no sample on disk in time.
            RecordingError: the disk refuses.
        """
        lead_s = self._rig.pre_roll_s
        if start_s is None and lead_s:
            start_s = time.monotonic()
        await self._create(exp_ref, start_s)
        path = str(self.path_of(exp_ref))
        order = partial(Begin, path, str(exp_ref), start_s=start_s, pre_roll_s=lead_s)
        await self._record(order)
        log.info("session %s in %s", exp_ref, path)
        timeout_s = (within_s or _DEFAULT_WITHIN_S) * _SHARE
        if start_s is not None and (ahead_s := start_s - time.monotonic()) > 0:
            timeout_s = max(timeout_s, ahead_s + _AFTER_START_S)
        await until_durable(self.recorder, self._recorded, timeout_s)
        if start_s is not None and self._rig.pre_roll_s:  # samples of before are on disk already
            await asyncio.sleep(start_s - time.monotonic())
        self._look_at_streams()
        await self._chronicle.run()

    async def resume(self, path: Path, since_unix_s: float | None) -> None:
        """Go on with a session that a crash ended; returns when the recorder has begun.

        Args:
            path: its folder, which `recording.recover` has put in order.
            since_unix_s: when it was last seen to be recorded, if that is known.

        Raises:
            RecordingError: it is no such session, or sealed, or the recorder does not begin.
        """
        session = await asyncio.to_thread(open_unsealed, path)
        await self.open()
        self._chronicle.take_over(session, since_unix_s, goes_on=True)
        ref = session.record.reference
        goes_on = partial(Begin, str(path), ref, resume=True, since_unix_s=since_unix_s)
        await self._record(goes_on)
        log.warning("session %s goes on in %s", ref, path)
        if self._recorded:
            await until_begun(self.recorder)
        await self._chronicle.run()

    def adopt(self, path: Path) -> None:
        """Take over a session that was stopped and not sealed, to be sealed by `seal`.

        Raises:
            RecordingError: it is no such session, or sealed.
        """
        session = open_unsealed(path)
        for name, counts in counts_of(session).items():
            if name in self._recorded:
                self._recorded[name].counts = counts
        self._chronicle.take_over(session, None, goes_on=False)
        self._log_file = opening.open_log(session)
        self._is_adopted = True

    async def end(self, within_s: float | None = None, stop_s: float | None = None) -> None:
        """Write what has arrived, or up to an instant, and close all files.

        Args:
            within_s: how long the controller waits.
            stop_s: the instant on the rig's clock with which the window ends; one in the future is
                waited for, what was recorded after a past one is cut off.

        Raises:
            RecordingError: the recorder is gone or not done yet; what is on disk stays.
        """
        stop_unix_s = wall_s(stop_s)
        try:
            await self.recorder.finish((within_s or _DEFAULT_WITHIN_S) * _SHARE, stop_s)
        finally:
            self._look_at_streams()
            for stream in self._recorded.values():
                stream.end_session()
            await self._chronicle.end(stop_unix_s)

    async def abandon(self, reason: str, within_s: float | None = None) -> None:
        """Set a session aside that is not to be, so that its reference is free again.

        Raises:
            RecordingError: it cannot be renamed.
        """
        with contextlib.suppress(RecordingError):
            await self.end(within_s)
        async with self._chronicle.closed() as session:
            if session:
                self._close_log()
                path = await asyncio.to_thread(session.set_aside, reason)
                log.warning("the recording so far is kept in %s", path)

    async def seal(self) -> None:
        """Seal the session: its manifest is the last thing that is written.

        Raises:
            RecordingError: a file cannot be read or written.
        """
        async with self._chronicle.closed() as session:
            if session is None:
                return
            try:
                await self.recorder.finish(None)
            finally:
                self._close_log()
            await asyncio.to_thread(self._seal, session)
            log.info("sealed %s", session.path)

    def see(self, conditions: Iterable[Condition]) -> None:
        """Note what is wrong with the session at present, and what no longer is."""
        self._look_at_streams()
        self._chronicle.see(conditions)

    def note_clock(self, sample: ClockOffset) -> None:
        """Note how far another clock is from the rig's; saved with what else was noted."""
        self._chronicle.note_clock(sample)

    async def save_episodes(self) -> None:
        """Have ``session.json`` say what was noted; a disk that hangs is not waited for."""
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._chronicle.save(), name="save episodes")
        done, _ = await asyncio.wait([self._saving], timeout=_SAVED_WITHIN_S)
        for saving in done:
            saving.result()

    def attach(self, stream: str, ring: str) -> None:
        """A stream goes on in another ring."""
        if stream in self._recorded:
            self.recorder.tell(Attach(stream, ring))

    def note(self, stream: str, noticed: Noticed) -> None:
        """Put something that a source noticed among the session's events."""
        if stream in self._recorded:
            self.recorder.tell(Note(stream, noticed.kind, noticed.text, noticed.facts, noticed.at))

    async def _create(self, exp_ref: ExpRef, start_s: float | None) -> None:
        header = header_of(self._rig, self._recorded)
        root, name = self._rig.data_root, self._rig.name
        creating = asyncio.to_thread(Session.create, root, exp_ref, name, header)
        task = asyncio.create_task(creating, name=f"create {exp_ref}")
        try:
            self._chronicle.begin(await asyncio.shield(task), start_s)
        except asyncio.CancelledError:
            self._chronicle.begin(await task, start_s)  # it is there all the same, to be set aside
            raise

    async def _record(self, order: Callable[[dict[str, str | None]], Begin]) -> None:
        """Have the recorder begin; `order` makes its order of the rings that there are then."""
        assert self.session
        self._is_adopted = False
        self._log_file = await asyncio.to_thread(opening.open_log, self.session)
        for stream in self._recorded.values():
            stream.begin_session()
        if self._recorded:  # nothing is awaited in between: later rings come by `attach`
            self.recorder.begin(order(self.recorder.rings()))

    def _seal(self, session: Session) -> None:
        in_order = self._is_adopted and is_in_order(session.path)
        if self._recorded and self.recorder.digests is None and not in_order:
            # The recorder did not come to its end: a torn tail is moved aside first.
            recover(session.path)
            session = Session.open(session.path)
        episodes = (*session.record.episodes, *self._chronicle.episodes)
        streams = streams_of(self._recorded, session.record.streams)
        session.update(episodes=tuple(dict.fromkeys(episodes)), streams=streams)
        seal(session, self.recorder.digests)

    def _look_at_streams(self) -> None:
        for name, stream in self._recorded.items():
            self._chronicle.take_counts(name, stream.counts)

    def _close_log(self) -> None:
        if self._log_file:
            logs.remove(self._log_file)
            self._log_file = None
