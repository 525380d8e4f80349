"""One stream's way from ring to disk: a thread of the recorder process.

From: rings (`streams`), one after the other when the source opens new ones.
To: `peers.tape`; counts for the recorder's reports.

A disk that is full ends no recording: the ring keeps what comes, and once there is space again the
recording goes on behind what was written, as it does after a crash.  Any other error of the disk
ends this stream, for what was written last may be lost without a word.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from rigctl.blocks import StreamInfo
from rigctl.config.keeping import Roll
from rigctl.errors import DiskFull, Overrun, RigctlError, RingClosed, RingError, WriterDied
from rigctl.peers.entrance import Entrance
from rigctl.peers.former import Former
from rigctl.peers.fulldisk import FullDisk
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
TROUBLE_S = 10.0
"""For how long a loss is shown."""


class Track(threading.Thread):
    """Records one stream into a session until told to finish.

    Args:
        stream: its name.
        session: the session's folder.
        events: the session's event log.
        report: called when START can be answered: the first samples are on disk, or it failed.
        start_s: the instant on the rig's clock with which it begins; None for what comes first.
        lead_s: how much of what came before that is recorded, too.
        roll: when to go on in a further part; None: never.
    """

    def __init__(
        self,
        stream: str,
        session: Path,
        events: EventLog,
        report: Callable[[], None],
        start_s: float | None = None,
        lead_s: float = 0.0,
        roll: Roll | None = None,
    ) -> None:
        super().__init__(name=f"track {stream}")
        self.stream = stream
        self._report = report
        self._rings: queue.Queue[tuple[str, bool] | None] = queue.Queue()
        self._gate = Gate(start_s, lead_s)
        self._tape = Tape(stream, session, events, report, roll)
        if start_s is not None and lead_s:
            self._tape.positions.seek_start(start_s)
        self._entrance = Entrance(stream, self._gate, self._tape, self._count_overrun)
        self._full = FullDisk(session, events, self._gate, self._tape, report)
        self._trouble = ""
        self._trouble_s = -math.inf
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
        self._gate.reopen(former.behind_s, former.place)

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
        self._full.close()

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
        is_troubled = time.monotonic() - self._trouble_s < TROUBLE_S
        return msgspec.structs.replace(
            counts,
            failure=self._failure or self._full.reason,
            trouble=self._trouble if is_troubled else "",
            ended=self._is_closed,
            short=self._short,
        )

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
        """Record from a ring until it ends; again and again where the disk is full meanwhile."""
        began: int | None = None
        while True:
            try:
                if self._full.reason:
                    self._full.go_on(reader.name, began)
                cursor = self._entrance.enter(reader, from_start=from_start)
                if cursor is None:
                    return
                began = cursor.position if began is None else began
                self._follow(reader, cursor, began)
                return
            except DiskFull as error:
                self._is_ended = False
                if not self._full.wait(error):
                    raise

    def _follow(self, reader: RingReader, cursor: Cursor, began: int) -> None:
        while not self._gate.is_closing:
            if not self._wait(cursor):
                return
            self._read(cursor, reader.info)
        self._leave(reader, cursor, began)

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
            self._full.over()

    def _count_overrun(self, text: str, samples: int, blocks: int) -> None:
        self._tape.overrun(samples, blocks)
        self._trouble, self._trouble_s = text, time.monotonic()
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
