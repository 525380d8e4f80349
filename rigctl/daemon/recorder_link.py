"""The recorder process as the daemon knows it: told, listened to, its silence noticed.

From: `daemon.recording`.  To: `peers.recorder`; its counts go to `daemon.streams`.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

import msgspec

from rigctl.config import Rig
from rigctl.daemon.streams import StreamState
from rigctl.errors import RecordingError
from rigctl.peers.orders import (
    Begin,
    Counts,
    Ended,
    Finish,
    Order,
    Progress,
    Ready,
    RecorderSetup,
)
from rigctl.peers.process import READY_S, Worker
from rigctl.recording.append_file import FileDigest

log = logging.getLogger(__name__)

_SEAL_S = 120.0
"""How long the recorder may take to close its files before the session is sealed without it."""


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
        self._ready = asyncio.Event()
        self._progress = asyncio.Event()
        self._ended: asyncio.Future[Ended] | None = None
        self._session = ""
        self._heard_s = 0.0
        self.digests: dict[str, FileDigest] | None = None
        """What the recorder said of the files of the last session; None if it never came to."""

    @property
    def silent_s(self) -> float:
        """For how long a recorder that records has not said a word; 0 where none does."""
        recording = self._worker and self._ended and not self._ended.done()
        return time.monotonic() - self._heard_s if recording else 0.0

    async def open(self) -> None:
        """Start the process and wait until it takes orders.

        Raises:
            RecordingError: it does not come up.
        """
        if self._worker is None:
            self._ready.clear()
            setup = RecorderSetup(self._rig.name, self._rig.flush_s, self._rig.roll)
            worker = await Worker.start("rigctl.peers.recorder", "recorder", setup, held=self._held)
            self._worker = worker
            self._listening = asyncio.create_task(self._listen(worker), name="recorder")
        try:
            async with asyncio.timeout(READY_S):
                await self._ready.wait()
        except TimeoutError:
            text = f"the recorder process did not come up within {READY_S:g} s"
            raise RecordingError(text) from None

    def begin(self, order: Begin) -> None:
        """Have it record a session."""
        self.digests = None
        self._session = order.session
        self._heard_s = time.monotonic()
        self._ended = asyncio.get_running_loop().create_future()
        self.tell(order)

    def tell(self, order: Order) -> None:
        """Give an order to the recorder that records."""
        if self._worker and self._ended:
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
        if self._worker:
            self._worker.send(Finish(stop_s))
        timeout_s = _SEAL_S if within_s is None else within_s
        timeout_s += max(stop_s - time.monotonic(), 0.0) if stop_s is not None else 0.0
        done, _ = await asyncio.wait([ended], timeout=timeout_s)
        if not done:
            if within_s is None:
                self._ended = None
            raise RecordingError(
                f"the recorder has not closed its files after {timeout_s:.0f} s: the disk may hang"
            )
        self._ended = None
        report = ended.result()
        self.digests = report.digests
        self._take_counts(report.streams)

    async def close(self) -> None:
        """End the process."""
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
        if self._ended and not self._ended.done() and report.session == self._session:
            self._ended.set_result(report)

    async def _lost(self, worker: Worker) -> None:
        """The recorder is gone unasked: nothing is recorded any more, and that is said."""
        self._worker = None
        await worker.stop()
        text = f"the recorder process ended by itself (exit code {worker.exit_code})"
        log.error("%s", text)
        for stream in self._streams.values() if self._ended else ():
            stream.counts = msgspec.structs.replace(stream.counts, failure=text)
        if self._ended and not self._ended.done():
            self._ended.set_exception(RecordingError(text))
            self._ended.exception()  # asked for by `finish`, if at all
        self._progress.set()
        self._changed()

    def _take_counts(self, counts: Mapping[str, Counts]) -> None:
        for name, count in counts.items():
            self._streams[name].take_counts(count)
        self._progress.set()
        self._changed()
