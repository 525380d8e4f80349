"""What is on disk of one stream in one session, over all of its folders.

From: `peers.track`, the batches of one ring after the other.  To: `recording.StreamWriter`.

A ring of another layout goes on in a folder of its own.  After a crash the last folder goes on, if
the layout is the same, with a new segment that says what is missing; where the ring has outlived
the crash nothing is, and no segment begins.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from operator import attrgetter
from pathlib import Path

import msgspec

from rigctl.blocks import Marker, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.peers.former import Former, Taken
from rigctl.peers.going_on import GoingOn
from rigctl.peers.orders import Counts
from rigctl.peers.positions import Positions
from rigctl.peers.steps import Append, Fill, Segment, Sequence
from rigctl.peers.window import arrivals_in, last_taken_s
from rigctl.recording.append_file import FileDigest
from rigctl.recording.events import RING_TAKEN, EventLog
from rigctl.recording.layout import next_stream_folder
from rigctl.recording.manifest import StreamTotals
from rigctl.recording.session import wall_s
from rigctl.recording.stream_writer import StreamWriter
from rigctl.streams import Batch
from rigctl.streams.instants import locate

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
        self.positions = Positions()
        self.folders: list[Path] = []
        """Those that were opened; the last may not have been made wholly."""
        self._session = session
        self._events = events
        self._begun = begun
        self._roll = roll
        self._before: GoingOn | None = None
        self._writers: list[StreamWriter] = []
        self._overruns = 0
        self._sequence = Sequence(0, Fraction(1))
        self._layout: StreamInfo | None = None
        self._is_measured = False
        """Whether the blocks tell what is missing before a ring's first."""
        self._ring = ""
        self._offset = 0
        self._taken: tuple[str, int] | None = None
        """The ring and the offset that were logged last; None before a ring's first sample."""

    def go_on(self, former: Former, cause: str = "a crash") -> None:
        """Go on behind what was recorded before a crash, or before writing failed."""
        self._before, self._writers = GoingOn(former, cause), []

    def thread(self, info: StreamInfo, position: int, ring: str) -> None:
        """Take another ring: its samples from a position on are what follows."""
        after = self._sequence.last if info == self._layout else None
        self._layout, self._is_measured = info, after is not None
        self._sequence = Sequence(int(FILL_LIMIT_S * info.rate_hz), info.rate_hz, after)
        former = self._former_of(info)
        self._offset = (former.last.samples if former else self.samples) - position
        self._ring, self._taken = ring, None

    def goes_on_exactly(self) -> None:
        """The ring that was taken is that of before: what is missing, if any, is known."""
        if self._before:
            self._before.is_exact = True

    @property
    def last_points(self) -> int:
        """How many samples the last append before a crash has."""
        return self._before.former.last_points if self._before else 0

    def follow(self, batch: Batch, info: StreamInfo, stop: int) -> None:
        """Take note of what is recorded already, and record those of its markers that are not.

        Args:
            batch: from the ring that was recorded before.
            info: its layout.
            stop: the first of its samples that is not recorded; blocks without samples there may
                not be, either, and come again.
        """
        self._sequence.follow(block for block in batch.blocks if block.first < stop)
        inside = (m for m in batch.markers if m.position < stop)
        markers = (replace(m, position=max(m.position, batch.start) + self._offset) for m in inside)
        if self._before:
            self._writer(info).mark(*self._before.new(markers))

    def stop_at(self, position: float) -> None:
        """Note where the window ends, in samples from the first that follows."""
        for writer in self._writers[-1:]:
            self.positions.stop_at(writer, writer.samples + position)

    @property
    def samples(self) -> int:
        """How many there are in the folder that is written at present."""
        return self._writers[-1].samples if self._writers else 0

    @property
    def counts(self) -> Counts:
        """What is on disk, over all folders of the stream."""
        writers, going_on = list(self._writers), self._before
        before = going_on.before(writers) if going_on else ()
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
            positions=dict(self.positions.known),
            interruption=going_on.interruption if going_on else None,
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
        markers = sorted(batch.markers, key=attrgetter("position"))
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
        self._mark(writer, [replace(marker, position=writer.samples) for marker in markers])

    def cut(self, instant_s: float) -> None:
        """Cut off what was taken at an instant or later, from folder after folder."""
        former = self._before and self._before.former
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
            self.positions.stop_at(writer, position)
            if samples:
                return

    def short_of(self, instant_s: float) -> int:
        """Return how many samples are missing at the end, up to an instant."""
        writer = self._writers[-1]
        if not writer.samples:
            return 0
        lasted_s = instant_s - last_taken_s(writer.records, writer.info.rate_hz)
        return max(math.ceil(lasted_s * writer.info.rate_hz) - 1, 0)

    def sync(self) -> None:
        """Make what is written durable.

        Raises:
            RecordingError: it failed.
        """
        for writer in self._writers[-1:]:
            writer.sync()

    def close(self) -> None:
        """Make it durable and close all files; raises `RecordingError` where that failed."""
        for writer in self._writers:
            writer.close()

    def _append(
        self, writer: StreamWriter, batch: Batch, step: Append, markers: list[Marker]
    ) -> None:
        offset = self._offset = writer.samples - step.start
        self._log_taken(writer, step.start)
        if self._before:
            self._before.begin(writer)
        samples = batch.samples[step.start - batch.start : step.stop - batch.start]
        writer.append(samples, counter=step.counter, arrival_s=step.arrival_s)
        inside = [marker for marker in markers if marker.position < step.stop]
        del markers[: len(inside)]
        # One that lies before its block, or in front of a gap, must not come to stand in the gap.
        at = step.start
        self._mark(writer, [replace(m, position=max(m.position, at) + offset) for m in inside])
        is_first = not self._before and len(self._writers) == 1
        self.positions.look(writer, step.arrival_s, is_first=is_first)
        if not writer.durable_samples:
            # START's reply waits for this, not for the flush interval.
            writer.sync()
            self._begun()

    def _mark(self, writer: StreamWriter, markers: list[Marker]) -> None:
        # Those at the very end before a crash may come once more, with blocks without samples.
        writer.mark(*(self._before.new(markers) if self._before else markers))

    def _log_taken(self, writer: StreamWriter, ring_sample: int) -> None:
        """Log what of the ring stands where before it is written, for a recorder after this one."""
        taken = self._ring, self._offset
        if taken != self._taken:
            value = msgspec.to_builtins(Taken(writer.samples, self._ring, ring_sample))
            self._events.append(writer.folder.name, RING_TAKEN, value)
            self._taken = taken

    def _begin_segment(self, writer: StreamWriter, step: Segment) -> None:
        began_s = step.arrival_s - float(step.points / writer.info.rate_hz)
        goes_on, unix_s = writer.samples > 0, wall_s(began_s)
        missing = self._missing_before(step, writer, began_s)
        if self._before:
            self._before.begin(writer, missing, unix_s)
        if goes_on or missing:
            text = "%s: a new segment, %d samples lost, %s"
            log.warning(text, self.stream, missing, step.measure)
        writer.new_segment(datetime.fromtimestamp(unix_s, UTC), lost=goes_on, missing=missing)

    def _missing_before(self, step: Segment, writer: StreamWriter, began_s: float) -> int:
        """Return what is missing before a ring's first sample; what the blocks tell goes first."""
        if self._before and not self._before.interruption:
            return max(step.missing, self._before.missing_before(began_s))
        if step.missing or self._taken or self._is_measured or not writer.samples:
            return step.missing
        # A source that was started again: what it would have sent meanwhile is lost.
        lost_s = began_s - last_taken_s(writer.records, writer.info.rate_hz)
        return max(round(lost_s * writer.info.rate_hz), 0)

    def _writer(self, info: StreamInfo) -> StreamWriter:
        """Return the writer for this layout."""
        if self._writers and self._writers[-1].info == info:
            return self._writers[-1]
        if self._writers:
            self._writers[-1].close()
        self._writers.append(self._open(info))
        if not self._before and len(self._writers) == 1:
            self.positions.open(self._writers[-1])
        return self._writers[-1]

    def _open(self, info: StreamInfo) -> StreamWriter:
        if former := self._former_of(info):
            self.folders.append(former.folder)
            return StreamWriter.reopen(former.folder, self._events, self._roll)
        folder = next_stream_folder(self._session, self.stream)
        self.folders.append(folder)
        return StreamWriter.create(
            folder, info, name=self.stream, events=self._events, roll=self._roll
        )

    def _former_of(self, info: StreamInfo) -> Former | None:
        """Return what was recorded before a crash if samples of this layout go on behind it."""
        former = self._before and self._before.former
        return former if former and not self._writers and former.info == info else None
