"""The rig's source processes: one per stream, started again when they end unasked.

From: `daemon.daemon`.  To: `peers.source` processes; their reports go to `daemon.streams`.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

from rigctl.config import Rig
from rigctl.daemon.recording import Recording
from rigctl.daemon.streams import StreamState
from rigctl.errors import StreamError
from rigctl.peers.orders import Noticed, Opened, Ready, Report, Situation, SourceSetup
from rigctl.peers.process import READY_S, Worker
from rigctl.streams import sweep

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Sources:
    """Keeps one source process per stream running between `open` and `close`.

    Args:
        rig: the rig's configuration.
        streams: what is known of each stream; kept up to date here.
        recording: told of new rings, and of what the sources notice.
        changed: called whenever something was reported.
        held: descriptors that the processes keep open until they have ended.
    """

    def __init__(
        self,
        rig: Rig,
        streams: Mapping[str, StreamState],
        recording: Recording,
        changed: Callable[[], None],
        held: Collection[int] = (),
    ) -> None:
        self._rig = rig
        self._held = held
        self._streams = streams
        self._recording = recording
        self._changed = changed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ready: dict[str, asyncio.Event] = {}

    async def open(self) -> None:
        """Start the sources that do not run, and wait until their processes are up.

        Raises:
            StreamError: one does not come up.
        """
        for name in self._streams:
            if name not in self._tasks:
                self._ready[name] = asyncio.Event()
                task = asyncio.create_task(self._keep(name), name=f"source {name}")
                self._tasks[name] = task
        try:
            async with asyncio.timeout(READY_S):
                await asyncio.gather(*(ready.wait() for ready in self._ready.values()))
        except TimeoutError:
            late = ", ".join(name for name, ready in self._ready.items() if not ready.is_set())
            text = f"the process of stream {late} did not come up within {READY_S:g} s"
            raise StreamError(text) from None

    async def close(self) -> None:
        """End all sources."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for stream in self._streams.values():
            stream.close_ring()
            stream.situation = Situation("not started", lost=False, flowing=False)

    async def _keep(self, name: str) -> None:
        """Run a source; again, later and later, when it ends by itself."""
        stream = self._streams[name]
        pause_s = _FIRST_PAUSE_S
        while True:
            began_s = time.monotonic()
            why = await self._run(name)
            log.error("source %s: %s", name, why)
            stream.close_ring()
            if not stream.situation.lost:
                stream.situation = Situation(why, lost=True, flowing=False)
            self._changed()
            if time.monotonic() - began_s > _LONGEST_PAUSE_S:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s)  # backoff between restarts
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _run(self, name: str) -> str:
        """Run a source process until it ends; return how it ended."""
        entry = self._streams[name].entry
        setup = SourceSetup(self._rig.name, name, entry.device, dict(entry.settings), entry.ring_s)
        try:
            worker = await Worker.start(
                "rigctl.peers.source", f"source {name}", setup, held=self._held
            )
        except OSError as error:
            return f"its process cannot be started: {error}"
        try:
            async for report in worker.reports():
                self._take(name, report)
        finally:
            await asyncio.shield(worker.stop())
            sweep()  # removes the ring of a source that was killed
        return f"its process ended by itself (exit code {worker.exit_code})"

    def _take(self, name: str, report: Report) -> None:
        stream = self._streams[name]
        match report:
            case Opened(ring=ring):
                stream.open_ring(report)
                self._recording.attach(name, ring)
            case Situation(text, lost):
                stream.situation = report
                log.log(logging.WARNING if lost else logging.INFO, "%s: %s", name, text)
            case Noticed(kind, text):
                level = logging.INFO if kind == "state" else logging.WARNING
                log.log(level, "%s: %s: %s", name, kind, text)
                self._recording.note(name, report)
            case Ready():
                self._ready[name].set()
        self._changed()
