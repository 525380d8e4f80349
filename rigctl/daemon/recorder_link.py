"""The recorder process as the daemon knows it: told, listened to, its silence noticed.

From: `daemon.recording`.  To: `peers.recorder`; its counts go to `daemon.streams`.

A process that ends while it records is followed by another one, which goes on with the session
(`daemon.succession`); what it is to be told meanwhile is told to that one.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from rigctl.config import Rig
from rigctl.daemon.streams import StreamState
from rigctl.daemon.succession import Succession
from rigctl.errors import RecordingError
from rigctl.peers.orders import (
    Begin,
    Counts,
    Ended,
    Finish,
    Note,
    Order,
    Progress,
    Ready,
    RecorderSetup,
)
from rigctl.peers.process import READY_S, Worker
from rigctl.recording.append_file import FileDigest
from rigctl.recording.recover import put_in_order

log = logging.getLogger(__name__)

_SEAL_S = 120.0
"""How long the recorder may take to close its files before the session is sealed without it."""
_MOST_NOTES = 1000
"""So many are kept for the next recorder."""


class RecorderLink:
    """The way to the recorder process.

    Args:
        rig: the rig's configuration.
        streams: the recorded streams; their counts are kept up to date here.
        changed: called whenever something was reported.
        held: descriptors that the process keeps open until it has ended.
    """

    def __init__(
        self,
        rig: Rig,
        streams: Mapping[str, StreamState],
        changed: Callable[[], None],
        held: Collection[int] = (),
    ) -> None:
        self._rig = rig
        self._held = held
        self._streams = streams
        self._changed = changed
        self._worker: Worker | None = None
        self._listening: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._ready = asyncio.Event()
        self._progress = asyncio.Event()
        self._ended: asyncio.Future[Ended] | None = None
        self._order: Begin | None = None
        self._finish: Finish | None = None
        self._notes: deque[Note] = deque(maxlen=_MOST_NOTES)
        self._succession = Succession(self._begin_again, self._give_up)
        self._overruns: dict[str, int] = {}
        """Those that the recorders before this one have counted in the session."""
        self._heard_s = 0.0
        self.digests: dict[str, FileDigest] | None = None
        """What the recorder said of the files of the last session; None if it never came to."""

    @property
    def silent_s(self) -> float:
        """For how long a recorder that records has not said a word; 0 where none does."""
        recording = self._worker and self._is_recording and not self._succession.is_under_way
        return time.monotonic() - self._heard_s if recording else 0.0

    async def open(self) -> None:
        """Start the process and wait until it takes orders.

        Raises:
            RecordingError: it does not come up.
        """
        async with self._starting:
            worker = self._worker or await self._start()
        try:
            async with asyncio.timeout(READY_S):
                await self._ready.wait()
        except TimeoutError:
            text = f"the recorder process did not come up within {READY_S:g} s"
            raise RecordingError(text) from None
        if self._worker is not worker:
            raise RecordingError("the recorder process ended as it came up")

    async def _start(self) -> Worker:
        self._ready.clear()
        setup = RecorderSetup(self._rig.name, self._rig.flush_s, self._rig.roll)
        worker = await Worker.start("rigctl.peers.recorder", "recorder", setup, held=self._held)
        self._worker = worker
        self._listening = asyncio.create_task(self._listen(worker), name="recorder")
        return worker

    def rings(self) -> dict[str, str | None]:
        """Return the rings that the streams have at present."""
        return {name: s.opened.ring if s.opened else None for name, s in self._streams.items()}

    def begin(self, order: Begin) -> None:
        """Have it record a session."""
        if order.start_s is None and not order.resume:  # of use only to a recorder after this one
            self._order = msgspec.structs.replace(order, start_s=time.monotonic())
        else:
            self._order = order
        self.digests = None
        self._finish = None
        self._notes.clear()
        self._overruns = {}
        self._succession.reset()
        self._heard_s = time.monotonic()
        self._ended = asyncio.get_running_loop().create_future()
        self.tell(order)

    def tell(self, order: Order) -> None:
        """Give an order to the recorder that records."""
        if self._succession.is_under_way:
            if isinstance(order, Note):  # of a ring that is attached the next one is told anyhow
                self._notes.append(order)
        elif self._worker and self._ended:
            self._worker.send(order)

    async def progress(self) -> None:
        """Return when it has said something."""
        self._progress.clear()
        await self._progress.wait()

    async def finish(self, within_s: float | None, stop_s: float | None = None) -> None:
        """Have it write what has arrived, or up to an instant, and close its files.

        Args:
            within_s: how long to wait; None for as long as it may take at the most.
            stop_s: the instant on the rig's clock; one in the future is waited for beside that.

        Raises:
            RecordingError: it is gone, or not done in time; it goes on nevertheless.
        """
        ended = self._ended
        if ended is None:
            return
        before = self._finish.stop_s if self._finish else None
        # The seal asks once more: a recorder that comes only then is to end where it was ordered.
        self._finish = Finish(before if stop_s is None else stop_s)
        self.tell(self._finish)
        timeout_s = _SEAL_S if within_s is None else within_s
        timeout_s += max(stop_s - time.monotonic(), 0.0) if stop_s is not None else 0.0
        done, _ = await asyncio.wait([ended], timeout=timeout_s)
        if not done:
            if within_s is None:
                self._ended = None
                await self._succession.close()
            raise RecordingError(
                f"the recorder has not closed its files after {timeout_s:.0f} s: the disk may hang"
            )
        self._ended = None
        report = ended.result()
        self.digests = report.digests
        self._take_counts(report.streams)

    async def close(self) -> None:
        """End the process."""
        await self._succession.close()
        worker, self._worker = self._worker, None
        if worker:
            await worker.stop()
        if self._listening:
            await self._listening
            self._listening = None

    async def _listen(self, worker: Worker) -> None:
        async for report in worker.reports():
            self._heard_s = time.monotonic()
            match report:
                case Ready():
                    self._ready.set()
                case Progress(streams):
                    self._take_counts(streams)
                case Ended():
                    self._take_end(report)
        if self._worker is worker:
            await self._lost(worker)

    def _take_end(self, report: Ended) -> None:
        # A recorder that is told to finish twice answers twice: not to what was begun meanwhile.
        session = self._order and self._order.session
        if self._ended and not self._ended.done() and report.session == session:
            self._ended.set_result(report)

    async def _lost(self, worker: Worker) -> None:
        """The recorder is gone unasked: that is said, and another one goes on with the session."""
        self._worker = None
        await worker.stop()
        text = f"the recorder process ended by itself (exit code {worker.exit_code})"
        log.error("%s", text)
        self._ready.set()  # for who waits for it in vain
        if not self._is_recording:
            return
        if not self._succession.is_under_way:
            self._overruns = {name: s.counts.overruns for name, s in self._streams.items()}
        self._say_failure(f"{text}, and another one is to go on")
        self._succession.begin()

    async def _begin_again(self) -> None:
        """Have another recorder go on with the session.

        Raises:
            RecordingError: its files cannot be put in order, or no process comes up.
        """
        assert self._order
        path = Path(self._order.session)
        mending = asyncio.create_task(asyncio.to_thread(put_in_order, path), name=f"mend {path}")
        try:
            await asyncio.shield(mending)
        except asyncio.CancelledError:
            await asyncio.wait([mending])  # nobody else may touch the files before
            raise
        await self.open()
        assert self._worker
        self._heard_s = time.monotonic()
        order = msgspec.structs.replace(self._order, resume=True, streams=self.rings())
        orders: list[Order] = [order, *self._notes]
        for told in [*orders, self._finish] if self._finish else orders:
            self._worker.send(told)
        self._notes.clear()
        log.warning("another recorder goes on with %s", path)

    def _give_up(self, text: str) -> None:
        text = f"the recorder process ended by itself: {text}"
        log.error("%s", text)
        if self._ended and self._is_recording:
            self._ended.set_exception(RecordingError(text))
            self._ended.exception()  # asked for by `finish`, if at all
        self._say_failure(text)

    def _say_failure(self, text: str) -> None:
        for stream in self._streams.values():
            stream.counts = msgspec.structs.replace(stream.counts, failure=text)
        self._progress.set()
        self._changed()

    @property
    def _is_recording(self) -> bool:
        return self._ended is not None and not self._ended.done()

    def _take_counts(self, counts: Mapping[str, Counts]) -> None:
        for name, count in counts.items():
            overruns = count.overruns + self._overruns.get(name, 0)
            self._streams[name].take_counts(msgspec.structs.replace(count, overruns=overruns))
        self._progress.set()
        self._changed()
