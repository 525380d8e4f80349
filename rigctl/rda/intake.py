"""A thread of its own that keeps a connection and puts what comes into a ring.

From: `client`, in an event loop of the thread's own.  To: `live.Client`, in whatever thread calls.

Everything that callers wait for changes under one condition: a connection, a layout, samples, the
end. So they wait without looking again and again, and any number of them may.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from rigctl.blocks import Block, BlockFlags, Burst, Item, Lull, Notice, Run, StreamInfo
from rigctl.errors import RigctlError, StreamError
from rigctl.rda.client import ClientSettings, RdaClient
from rigctl.streams import RingReader, RingWriter, sweep

_log = logging.getLogger(__name__)

_KEPT_TIMES = 100_000
_KEPT_BREAKS = 10_000
_NUMBERS = itertools.count(1)


class Intake:
    """Connects for ever from `start` to `stop`; keeps samples unless told not to.

    Args:
        settings: where the server is and how long to be patient with it.
        frames: how many samples the ring holds at least.
    """

    def __init__(self, settings: ClientSettings, frames: int) -> None:
        self._settings = settings
        self._frames = frames
        self._changed = threading.Condition()
        self._client = RdaClient(settings)
        self._thread = threading.Thread(
            target=self._work, name=f"rda {settings.where}", daemon=True
        )
        self._is_set_up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump: asyncio.Task[None] | None = None
        self._ring: RingWriter | None = None
        self._items = 0
        self.reader: RingReader | None = None
        """Of the ring that is written, or was last."""
        self.layout: StreamInfo | None = None
        """Of the samples that come, or came last."""
        self._keeps = True
        self._left_out = False
        """Whether samples came since the last that was kept."""
        self.is_flowing = False
        """Whether samples came, and nothing since says that they do not."""
        self.status = ""
        """What the connection is about, for people."""
        self.trouble = ""
        """Why the connection was lost last, if no samples came since."""
        self.failure: Exception | None = None
        """Why there will be nothing more."""
        self.times: deque[float] = deque(maxlen=_KEPT_TIMES)
        """When the newest blocks arrived since it began to keep samples, on the wall clock."""
        self.breaks: deque[int] = deque(maxlen=_KEPT_BREAKS)
        """Samples that do not follow on the one before, see `live.Client.breaks`."""

    @property
    def is_decided(self) -> bool:
        """Whether the first attempt to connect has come to something."""
        return self._items > 1  # the first item says that it is made

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection at present."""
        return self._client.is_connected

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()
        self._is_set_up.wait()

    def stop(self) -> None:
        """Disconnect, close the ring and wait until the thread has ended; once or often."""
        loop, pump = self._loop, self._pump
        if loop is not None and pump is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself meanwhile
                loop.call_soon_threadsafe(pump.cancel)
        if threading.current_thread() is not self._thread:  # which may collect what is forgotten
            self._thread.join()

    def keep(self, on: bool) -> None:
        """Begin or cease to keep samples; once it has ceased, none is being written any more."""
        with self._changed:
            if on and not self._keeps:
                self.times.clear()
            self._keeps = on

    def await_change(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until what came makes `ready` true; returns whether it is.

        Raises:
            RigctlError: the connection failed for good.
        """
        with self._changed:
            self._changed.wait_for(lambda: ready() or self.failure is not None, timeout_s)
            if not ready() and self.failure is not None:
                raise self.failure.with_traceback(None)  # that of an earlier wait goes
            return ready()

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            self._end(StreamError(f"the connection to {self._settings.where} was closed"))
        except (RigctlError, OSError) as error:
            self._end(error)
        finally:  # whatever went wrong, nobody waits for ever
            self._is_set_up.set()
            self._end(StreamError(f"the connection to {self._settings.where} has failed"))

    def _end(self, failure: Exception) -> None:
        with self._changed:
            self.failure = self.failure or failure
            self.is_flowing = False
            self._changed.notify_all()

    async def _run(self) -> None:
        self._loop, self._pump = asyncio.get_running_loop(), asyncio.current_task()
        self._is_set_up.set()
        try:
            async with contextlib.aclosing(aiter(self._client)) as items:
                async for item in items:
                    with self._changed:
                        self._items += 1
                        self._take(item)
                        self._changed.notify_all()
        finally:
            self._close_ring()

    def _take(self, item: Item) -> None:
        match item:
            case Block() | Burst():
                self.is_flowing, self.trouble = True, ""
                if self._keeps:
                    self._write(item)
                else:
                    self._left_out = True
            case Run(info):
                self.layout = info
                if self._ring is not None and self._ring.info == info:
                    self._ring.begin_run()
            case Lull(reason, lost):
                self.status, self.is_flowing = reason, False
                self.trouble = reason if lost else self.trouble
                _log.log(logging.WARNING if lost else logging.INFO, "%s", reason)
            case Notice(_, text):
                _log.info("%s", text)

    def _write(self, item: Block | Burst) -> None:
        ring = self._ring_for_layout()
        if ring.head and self._left_out:
            item = replace(item, flags=item.flags | BlockFlags.GAP_BEFORE)
        if ring.head and item.flags & (BlockFlags.GAP_BEFORE | BlockFlags.NEW_RUN):
            self.breaks.append(ring.head)
        self._left_out = False
        arrival_s = time.time() - (time.monotonic() - item.arrival_s)
        if isinstance(item, Burst):
            ring.write_burst(item)
            self.times.extend([arrival_s] * len(item.samples))
        else:
            ring.write(item)
            self.times.append(arrival_s)

    def _ring_for_layout(self) -> RingWriter:
        """Return the ring; samples of another layout begin another one, from sample 0 on."""
        assert self.layout is not None  # a run came before its samples
        if self._ring is not None and self._ring.info == self.layout:
            return self._ring
        self._close_ring()
        sweep()  # what killed programs have left
        name = f"rda-{os.getpid()}-{next(_NUMBERS)}"
        self._ring = RingWriter.create(name, self.layout, self._frames)
        self._ring.begin_run()
        self.reader = RingReader.attach(name)
        self.breaks.clear()
        return self._ring

    def _close_ring(self) -> None:
        """Remove the ring; what is in it stays readable here."""
        ring, self._ring = self._ring, None
        if ring is not None:
            ring.close("the client closed the connection")
            ring.unlink()
        if self.reader is not None:
            self.reader.close()
