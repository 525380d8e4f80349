"""One stream's way from ring to disk: a thread of the recorder process.

From: rings (`streams`), one after the other when the source opens new ones.
To: `peers.tape`; counts for the recorder's reports.
"""

import logging
import math
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from rigctl.blocks import StreamInfo
from rigctl.config.keeping import Roll
from rigctl.errors import Overrun, RigctlError, RingClosed, RingError, WriterDied
from rigctl.peers.former import Former
from rigctl.peers.orders import Counts
from rigctl.peers.tape import Tape
from rigctl.peers.window import Gate
from rigctl.recording.append_file import FileDigest
from rigctl.recording.events import EventLog
from rigctl.streams import Cursor, RingReader

log = logging.getLogger(__name__)

_BATCH_BYTES = 4 << 20
_LOOK_UP_S = 0.25
"""How soon a stream in which nothing comes notices that it is to finish."""


class Track(threading.Thread):
    """Records one stream into a session until told to finish.

    Args:
        stream: its name.
        session: the session's folder.
        events: the session's event log.
        report: called when START can be answered: the first samples are on disk, or it failed.
        start_s: the instant on the rig's clock with which it begins; None for what comes first.
        roll: when to go on in a further part; None: never.
    """

    def __init__(
        self,
        stream: str,
        session: Path,
        events: EventLog,
        report: Callable[[], None],
        start_s: float | None = None,
        roll: Roll | None = None,
    ) -> None:
        super().__init__(name=f"track {stream}")
        self.stream = stream
        self._report = report
        self._rings: queue.Queue[tuple[str, bool] | None] = queue.Queue()
        self._gate = Gate(start_s)
        self._tape = Tape(stream, session, events, report, roll)
        self._is_ended = False
        """Whether the window's end was found in a ring."""
        self._is_exact = False
        """Whether nothing was recorded beyond it."""
        self._failure = ""
        self._is_closed = False
        self._short = 0

    def go_on(self, former: Former) -> None:
        """Go on behind what was recorded before a crash; before the thread is started."""
        self._tape.go_on(former)
        if former.taken_s is not None:
            # A ring that has outlived the crash still holds what was recorded.
            behind_s = former.taken_s + 0.5 / float(former.info.rate_hz)
            self._gate = Gate(behind_s, former.arrival_s)

    def attach(self, ring: str, *, from_start: bool) -> None:
        """Have the stream go on in a ring: with all that is in it, or from now on."""
        self._rings.put((ring, from_start))

    def finish(self, stop_s: float | None = None) -> None:
        """Have it record up to an instant or what has arrived, close its files and end.

        Args:
            stop_s: the instant on the rig's clock; past or future.
        """
        self._gate.close(stop_s)
        self._rings.put(None)

    def position_of(self, ring_sample: int) -> int:
        """Return where in the recording a sample of the ring lies, or will lie."""
        return self._tape.position_of(ring_sample)

    def sync(self) -> None:
        """Make what is written durable; called from the recorder's flush thread."""
        try:
            self._tape.sync()
        except RigctlError as error:
            self._fail(error)

    @property
    def counts(self) -> Counts:
        """What is on disk, over all parts of the stream."""
        counts = self._tape.counts
        own = {"failure": self._failure, "ended": self._is_closed, "short": self._short}
        return msgspec.structs.replace(counts, **own)

    @property
    def digests(self) -> dict[str, FileDigest]:
        """Size and hash of the files that only grew."""
        return self._tape.digests

    def run(self) -> None:
        """Record ring after ring; any error ends this stream, is said, and harms no other."""
        try:
            while (entry := self._next_ring()) is not None:
                self._try_ring(*entry)
            self._cut()
        except (RigctlError, OSError) as error:
            self._fail(error)
        except Exception as error:  # a thread's edge: that this stream is not recorded must show
            log.exception("%s: an error in the recorder itself", self.stream)
            self._fail(error)
        finally:
            self._close()

    def _next_ring(self) -> tuple[str, bool] | None:
        """Wait for a ring; return None once nothing may come any more that is to be recorded."""
        while not self._is_ended:
            try:
                entry = self._rings.get(timeout=self._gate.remaining_s)
            except queue.Empty:
                return None
            if entry is not None:
                return entry
        return None

    def _try_ring(self, ring: str, from_start: bool) -> None:
        try:
            reader = RingReader.attach(ring)
        except RingError as error:
            # Its source died before we came to it; the next one brings another ring.
            log.error("%s: ring %s is lost: %s", self.stream, ring, error)
            return
        with reader:
            self._record_ring(reader, from_start)

    def _record_ring(self, reader: RingReader, from_start: bool) -> None:
        cursor = self._enter(reader, from_start)
        if cursor is None:
            return
        began = cursor.position
        while not self._gate.is_closing:
            if not self._wait(cursor):
                return
            self._read(cursor, reader.info)
        self._leave(reader, cursor, began)

    def _enter(self, reader: RingReader, from_start: bool) -> Cursor | None:
        """Return a cursor at the first sample to record; None if this ring brings none."""
        if not self._gate.is_awaited:
            return self._cursor(reader, 0 if from_start else None)
        try:
            position = self._gate.open(reader)
        except (RingClosed, WriterDied) as error:
            log.warning("%s: %s", self.stream, error)
            return None
        if position is None:
            return None
        cursor = self._cursor(reader, max(math.ceil(position), 0))
        self._tape.start_at(position - cursor.position, is_seamless=self._gate.is_seamless)
        return cursor

    def _cursor(self, reader: RingReader, start: int | None) -> Cursor:
        """Return a cursor at a sample, or at the oldest; what is overwritten already is lost."""
        wanted = start
        while True:
            try:
                cursor = reader.cursor(start)
            except Overrun as error:
                start = error.tail
                continue
            self._tape.thread(reader.info, cursor.position)
            if wanted is not None and cursor.position > wanted:
                lost = cursor.position - wanted
                text = f"{lost} samples were overwritten before they could be recorded"
                self._count_overrun(f"{text}: a longer ring keeps more", lost, 0)
            return cursor

    def _leave(self, reader: RingReader, cursor: Cursor, began: int) -> None:
        """Read up to the window's end, or what has arrived if none was ordered."""
        while True:
            head = reader.head
            position = self._gate.stop_in(reader)
            stop = head if position is None else math.ceil(position)
            if position is not None:
                self._is_ended = True
                # One at a ring's beginning may lie in a ring before it, which was recorded.
                self._is_exact = began < stop >= cursor.position
            while cursor.position < stop:
                self._read(cursor, reader.info, stop)
            if position is not None or self._gate.remaining_s == 0:
                break
            if not self._wait(cursor):
                return
        if self._is_exact and position is not None:
            self._tape.stop_at(position - stop)
        if self._gate.stop_s is None:
            self._read(cursor, reader.info, stop)  # blocks without samples at the very end

    def _wait(self, cursor: Cursor) -> bool:
        """Wait for something to read; return False when this ring will bring nothing more."""
        try:
            cursor.wait(_LOOK_UP_S)
        except (RingClosed, WriterDied) as error:
            log.warning("%s: %s", self.stream, error)
            return False
        return True

    def _read(self, cursor: Cursor, info: StreamInfo, stop: int | None = None) -> None:
        """Take the next batch; of one that is to end at a sample, what lies before it."""
        frames = _BATCH_BYTES // info.frame_bytes
        if stop is not None:
            frames = min(frames, stop - cursor.position)
        try:
            batch = cursor.read(max(frames, 1))
        except Overrun as error:
            samples, blocks = cursor.lost, cursor.lost_blocks
            cursor.skip_to(error.tail)
            lost = cursor.lost - samples, cursor.lost_blocks - blocks
            self._count_overrun(f"the disk is too slow: {error}", *lost)
            return
        if batch is not None and stop is not None:
            batch = batch.until(stop)
        if batch is not None and batch.blocks:
            self._gate.see(float(max(block.points for block in batch.blocks) / info.rate_hz))
            self._tape.write(batch, info)

    def _count_overrun(self, text: str, samples: int, blocks: int) -> None:
        self._tape.overrun(samples, blocks)
        log.error("%s: %s", self.stream, text)

    def _cut(self) -> None:
        """Cut off what was recorded before the order came to end earlier than that."""
        stop_s = self._gate.stop_s
        if stop_s is None or self._is_exact:
            return
        has_come = bool(self._tape.samples)
        self._tape.cut(stop_s)
        if has_come and not self._is_ended and (short := self._tape.short_of(stop_s)):
            log.warning("%s ends %d samples before the stop", self.stream, short)
            self._short = short

    def _fail(self, error: Exception) -> None:
        if not self._failure:
            self._failure = str(error) or repr(error)
            log.error("%s: recording failed: %s", self.stream, self._failure)
            self._report()

    def _close(self) -> None:
        try:
            self._tape.close()
        except RigctlError as error:
            self._fail(error)
        self._is_closed = True
