"""One stream's way from ring to disk: a thread of the recorder process.

From: rings (`streams`), one after the other when the source opens new ones.
To: `recording.StreamWriter`; counts for the recorder's reports.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rigctl.blocks import Marker, StreamInfo
from rigctl.errors import Overrun, RigctlError, RingClosed, RingError, WriterDied
from rigctl.peers.orders import Counts
from rigctl.peers.steps import Append, Fill, Segment, Sequence
from rigctl.recording.append_file import FileDigest
from rigctl.recording.events import EventLog
from rigctl.recording.layout import next_stream_folder
from rigctl.recording.stream_writer import StreamWriter
from rigctl.streams import Batch, Cursor, RingReader

log = logging.getLogger(__name__)

FILL_LIMIT_S = 10.0
"""The longest loss of known length that is stood in for; a longer one begins a segment."""

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
    """

    def __init__(
        self, stream: str, session: Path, events: EventLog, report: Callable[[], None]
    ) -> None:
        super().__init__(name=f"track {stream}")
        self.stream = stream
        self._session = session
        self._events = events
        self._report = report
        self._rings: queue.Queue[tuple[str, bool] | None] = queue.Queue()
        self._finishing = threading.Event()
        self._writers: list[StreamWriter] = []
        self._overruns = 0
        self._failure = ""
        self._sequence = Sequence(0)
        self._offset = 0

    def attach(self, ring: str, *, from_start: bool) -> None:
        """Have the stream go on in a ring: with all that is in it, or from now on."""
        self._rings.put((ring, from_start))

    def finish(self) -> None:
        """Have it record what has arrived, close its files and end."""
        self._finishing.set()
        self._rings.put(None)

    def position_of(self, ring_sample: int) -> int:
        """Return where in the recording a sample of the ring lies, or will lie."""
        return max(ring_sample + self._offset, 0)

    def sync(self) -> None:
        """Make what is written durable; called from the recorder's flush thread."""
        for writer in self._writers[-1:]:
            try:
                writer.sync()
            except RigctlError as error:
                self._fail(error)

    @property
    def counts(self) -> Counts:
        """What is on disk, over all parts of the stream."""
        writers = list(self._writers)
        return Counts(
            samples=sum(w.samples for w in writers),
            durable_samples=sum(w.durable_samples for w in writers),
            gaps=sum(w.gaps for w in writers),
            missing_samples=sum(w.missing_samples for w in writers),
            overruns=self._overruns,
            bytes=sum(w.bytes for w in writers),
            failure=self._failure,
        )

    @property
    def digests(self) -> dict[str, FileDigest]:
        """Size and hash of the files that only grew."""
        return {name: digest for w in self._writers for name, digest in w.digests.items()}

    def run(self) -> None:
        """Record ring after ring; any error ends this stream, is said, and harms no other."""
        try:
            while (entry := self._rings.get()) is not None:
                self._try_ring(*entry)
        except (RigctlError, OSError) as error:
            self._fail(error)
        except Exception as error:  # a thread's edge: that this stream is not recorded must show
            log.exception("%s: an error in the recorder itself", self.stream)
            self._fail(error)
        finally:
            self._close()

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
        info = reader.info
        self._sequence = Sequence(int(FILL_LIMIT_S * info.rate_hz))
        cursor = self._from_start(reader) if from_start else reader.cursor()
        self._offset = (self._writers[-1].samples if self._writers else 0) - cursor.position
        while not self._finishing.is_set():
            if not self._wait(cursor):
                return
            self._read(cursor, info)
        stop = reader.head
        while cursor.position < stop:
            self._read(cursor, info)
        self._read(cursor, info, 1)  # blocks without samples may stand at the very end

    def _from_start(self, reader: RingReader) -> Cursor:
        """Return a cursor at the oldest sample; what is overwritten already is lost."""
        start = 0
        while True:
            try:
                cursor = reader.cursor(start)
            except Overrun as error:
                start = error.tail
                continue
            if start:
                self._count_overrun(f"{start} samples were overwritten before it came", start, 0)
            return cursor

    def _wait(self, cursor: Cursor) -> bool:
        """Wait for something to read; return False when this ring will bring nothing more."""
        try:
            cursor.wait(_LOOK_UP_S)
        except (RingClosed, WriterDied) as error:
            log.warning("%s: %s", self.stream, error)
            return False
        return True

    def _read(self, cursor: Cursor, info: StreamInfo, frames: int | None = None) -> None:
        try:
            batch = cursor.read(frames or max(_BATCH_BYTES // info.frame_bytes, 1))
        except Overrun as error:
            samples, blocks = cursor.lost, cursor.lost_blocks
            cursor.skip_to(error.tail)
            self._count_overrun(str(error), cursor.lost - samples, cursor.lost_blocks - blocks)
            return
        if batch is not None:
            self._write(batch, info)

    def _write(self, batch: Batch, info: StreamInfo) -> None:
        writer = self._writer(info)
        markers = sorted(batch.markers, key=_position)
        for step in self._sequence.steps(batch.blocks):
            match step:
                case Fill(count, counter, arrival_s):
                    log.warning("%s: %d samples lost, filled", self.stream, count)
                    writer.fill(count, counter=counter, arrival_s=arrival_s)
                case Segment():
                    self._begin_segment(writer, step)
                case Append():
                    self._append(writer, batch, step, markers)
        # What is left belongs to blocks without samples: it stands at the next sample.
        writer.mark(*(_at(marker, writer.samples) for marker in markers))

    def _append(
        self, writer: StreamWriter, batch: Batch, step: Append, markers: list[Marker]
    ) -> None:
        offset = self._offset = writer.samples - step.start
        samples = batch.samples[step.start - batch.start : step.stop - batch.start]
        writer.append(samples, counter=step.counter, arrival_s=step.arrival_s)
        inside = [marker for marker in markers if marker.position < step.stop]
        del markers[: len(inside)]
        # One that lies before its block, or in front of a gap, must not come to stand in the gap.
        writer.mark(*(_at(m, max(m.position, step.start) + offset) for m in inside))
        if not writer.durable_samples:
            # START's reply waits for this, not for the flush interval.
            writer.sync()
            self._report()

    def _begin_segment(self, writer: StreamWriter, step: Segment) -> None:
        goes_on = writer.samples > 0
        if goes_on or step.missing:
            log.warning("%s: a new segment, %d samples lost", self.stream, step.missing)
        began_s = step.arrival_s - float(step.points / writer.info.rate_hz)
        writer.new_segment(_wall(began_s), lost=goes_on, missing=step.missing)

    def _count_overrun(self, reason: str, samples: int, blocks: int) -> None:
        self._overruns += 1
        self._sequence.overrun(samples, blocks)
        log.error("%s: the disk is too slow: %s", self.stream, reason)

    def _writer(self, info: StreamInfo) -> StreamWriter:
        """Return the writer for this layout."""
        if self._writers and self._writers[-1].info == info:
            return self._writers[-1]
        if self._writers:
            self._writers[-1].close()
        folder = next_stream_folder(self._session, self.stream)
        writer = StreamWriter.create(folder, info, name=self.stream, events=self._events)
        self._writers.append(writer)
        return writer

    def _fail(self, error: Exception) -> None:
        if not self._failure:
            self._failure = str(error) or repr(error)
            log.error("%s: recording failed: %s", self.stream, self._failure)
            self._report()

    def _close(self) -> None:
        for writer in self._writers[-1:]:
            try:
                writer.close()
            except RigctlError as error:
                self._fail(error)


def _position(marker: Marker) -> int:
    return marker.position


def _at(marker: Marker, position: int) -> Marker:
    return Marker(position, marker.type, marker.description, marker.points, marker.channel)


def _wall(monotonic_s: float) -> datetime:
    """Return the wall clock's time at a moment of the rig's clock."""
    since_s = time.monotonic() - monotonic_s
    return datetime.fromtimestamp(time.time() - (since_s if math.isfinite(since_s) else 0), UTC)
