"""What is on disk of one stream in one session, over all of its folders.

From: `peers.track`, the batches of one ring after the other.  To: `recording.StreamWriter`.

A ring of another layout goes on in a folder of its own.  After a crash the last folder goes on, if
the layout is the same, with a new segment that says what is missing.
"""

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from rigctl.blocks import Marker, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.peers.former import Former
from rigctl.peers.orders import Counts, Interruption
from rigctl.peers.steps import Append, Fill, Segment, Sequence
from rigctl.peers.window import arrivals_in
from rigctl.recording.append_file import FileDigest
from rigctl.recording.events import EventLog
from rigctl.recording.layout import next_stream_folder
from rigctl.recording.manifest import StreamTotals
from rigctl.recording.stream_writer import StreamWriter
from rigctl.streams import Batch
from rigctl.streams.instants import locate, taken_s

log = logging.getLogger(__name__)

FILL_LIMIT_S = 10.0
"""The longest loss of known length that is stood in for; a longer one begins a segment."""


class Tape:
    """Takes what is to be recorded of one stream; one thread writes, others may sync and count.

    Args:
        stream: its name.
        session: the session's folder.
        events: the session's event log.
        begun: called when the first samples are durable.
        roll: when to go on in a further part; None: never.
    """

    def __init__(
        self,
        stream: str,
        session: Path,
        events: EventLog,
        begun: Callable[[], None],
        roll: Roll | None = None,
    ) -> None:
        self.stream = stream
        self._session = session
        self._events = events
        self._begun = begun
        self._roll = roll
        self._former: Former | None = None
        self._interruption: Interruption | None = None
        self._writers: list[StreamWriter] = []
        self._overruns = 0
        self._sequence = Sequence(0, Fraction(1))
        self._layout: StreamInfo | None = None
        self._offset = 0
        self._start: float | None = None
        self._is_seamless = False
        self._positions: dict[str, tuple[float | None, float | None]] = {}

    def go_on(self, former: Former) -> None:
        """Go on behind what was recorded before a crash."""
        self._former = former

    def thread(self, info: StreamInfo, position: int) -> None:
        """Take another ring: its samples from a position on are what follows."""
        after = self._sequence.last if info == self._layout else None
        self._layout = info
        self._sequence = Sequence(int(FILL_LIMIT_S * info.rate_hz), info.rate_hz, after)
        former = self._former_of(info)
        self._offset = (former.last.samples if former else self.samples) - position

    def start_at(self, position: float, *, is_seamless: bool) -> None:
        """Note where the window begins, in samples from the first that follows.

        Args:
            position: the same after a crash: where it goes on.
            is_seamless: whether that is right behind what was recorded before the crash.
        """
        self._start, self._is_seamless = position, is_seamless

    def stop_at(self, position: float) -> None:
        """Note where the window ends, in samples from the first that follows."""
        for writer in self._writers[-1:]:
            self._place_stop(writer, writer.samples + position)

    @property
    def samples(self) -> int:
        """How many there are in the folder that is written at present."""
        return self._writers[-1].samples if self._writers else 0

    @property
    def counts(self) -> Counts:
        """What is on disk, over all folders of the stream."""
        writers, former = list(self._writers), self._former
        before = former.earlier if former else ()
        if former and not (writers and writers[0].folder == former.folder):
            before = (*before, former.last)
        now = (StreamTotals(w.samples, w.missing_samples, w.gaps) for w in writers)
        parts = (*before, *now)
        durable = sum(w.durable_samples for w in writers)
        return Counts(
            samples=sum(part.samples for part in parts),
            durable_samples=sum(part.samples for part in before) + durable,
            gaps=sum(part.gaps for part in parts),
            missing_samples=sum(part.missing_samples for part in parts),
            overruns=self._overruns,
            bytes=sum(writer.bytes for writer in writers),
            positions=dict(self._positions),
            interruption=self._interruption,
        )

    @property
    def digests(self) -> dict[str, FileDigest]:
        """Size and hash of the files that only grew."""
        return {name: digest for w in self._writers for name, digest in w.digests.items()}

    def position_of(self, ring_sample: int) -> int:
        """Return where in the recording a sample of the ring lies, or will lie."""
        return max(ring_sample + self._offset, 0)

    def overrun(self, samples: int, blocks: int) -> None:
        """So much of the ring was overwritten before it could be taken."""
        self._overruns += 1
        self._sequence.overrun(samples, blocks)

    def write(self, batch: Batch, info: StreamInfo) -> None:
        """Write the blocks of a batch, and what their order tells of losses."""
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

    def cut(self, instant_s: float) -> None:
        """Cut off what was taken at an instant or later, from folder after folder."""
        former = self._former
        if former and not (self._writers and self._writers[0].folder == former.folder):
            self._writers.insert(0, StreamWriter.reopen(former.folder, self._events, self._roll))
        for number, writer in reversed(list(enumerate(self._writers))):
            position = locate(
                arrivals_in(writer.records, instant_s), writer.info.rate_hz, instant_s
            )
            if position is None:
                return
            if writer.closed:
                self._writers[number] = writer = StreamWriter.reopen(writer.folder, self._events)
            samples = max(math.ceil(position), 0)
            log.info("%s: cut at sample %d of %d", self.stream, samples, writer.samples)
            writer.end_at(samples)
            self._place_stop(writer, position)
            if samples:
                return

    def short_of(self, instant_s: float) -> int:
        """Return how many samples are missing at the end, up to an instant."""
        records = self._writers[-1].records
        if not len(records):
            return 0
        rate_hz = self._writers[-1].info.rate_hz
        last_s = taken_s(arrivals_in(records, float(records[-1]["arrival_s"])), rate_hz)
        return max(math.ceil((instant_s - last_s) * rate_hz) - 1, 0)

    def sync(self) -> None:
        """Make what is written durable.

        Raises:
            RecordingError: it failed.
        """
        for writer in self._writers[-1:]:
            writer.sync()

    def close(self) -> None:
        """Make it durable and close all files.

        Raises:
            RecordingError: it failed.
        """
        for writer in self._writers:
            writer.close()

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
            self._begun()

    def _begin_segment(self, writer: StreamWriter, step: Segment) -> None:
        goes_on, missing = writer.samples > 0, step.missing
        began_s = step.arrival_s - float(step.points / writer.info.rate_hz)
        if self._former and not self._interruption:
            if not self._is_seamless:
                missing = max(missing, self._former.missing_before(began_s))
            self._interruption = Interruption(
                writer.folder.name,
                writer.samples,
                missing,
                self._former.since_unix_s,
                _wall_s(began_s),
            )
        if goes_on or missing:
            text = "%s: a new segment, %d samples lost, %s"
            log.warning(text, self.stream, missing, step.measure)
        when = datetime.fromtimestamp(_wall_s(began_s), UTC)
        writer.new_segment(when, lost=goes_on, missing=missing)

    def _writer(self, info: StreamInfo) -> StreamWriter:
        """Return the writer for this layout."""
        if self._writers and self._writers[-1].info == info:
            return self._writers[-1]
        if self._writers:
            self._writers[-1].close()
        self._writers.append(self._open(info))
        if self._start is not None and not self._former and len(self._writers) == 1:
            self._positions[self._writers[-1].folder.name] = (self._start, None)
        return self._writers[-1]

    def _open(self, info: StreamInfo) -> StreamWriter:
        if former := self._former_of(info):
            return StreamWriter.reopen(former.folder, self._events, self._roll)
        folder = next_stream_folder(self._session, self.stream)
        return StreamWriter.create(
            folder, info, name=self.stream, events=self._events, roll=self._roll
        )

    def _former_of(self, info: StreamInfo) -> Former | None:
        """Return what was recorded before a crash if samples of this layout go on behind it."""
        former = self._former
        return former if former and not self._writers and former.info == info else None

    def _place_stop(self, writer: StreamWriter, position: float) -> None:
        name = writer.folder.name
        start, _ = self._positions.get(name, (None, None))
        self._positions[name] = (start, position)


def _position(marker: Marker) -> int:
    return marker.position


def _at(marker: Marker, position: int) -> Marker:
    return Marker(position, marker.type, marker.description, marker.points, marker.channel)


def _wall_s(monotonic_s: float) -> float:
    """Return the wall clock's time at a moment of the rig's clock."""
    since_s = time.monotonic() - monotonic_s
    return time.time() - (since_s if math.isfinite(since_s) else 0)
