"""One stream's samples to disk: payload, then index record, and never a gap without a word.

From: the recorder, batches of whole frames.  To: the stream's folder (`stream_files`, `layout`).

    append thread:  payload -> data.eeg    record -> data.idx    markers -> events.jsonl, data.vmrk
    flush thread:   sync(): fdatasync data, index, markers; then `durable_samples` moves on; hash
"""

import threading
import zlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from rigctl.blocks import BlockFlags, Marker, Samples, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.errors import RecordingError
from rigctl.recording import index, layout
from rigctl.recording.append_file import FileDigest
from rigctl.recording.checked import encode_document
from rigctl.recording.durable import sync_folder, write_new, writing
from rigctl.recording.events import EventLog
from rigctl.recording.filling import filling
from rigctl.recording.markers import COMMENT, NEW_SEGMENT, LoggedMarker, cut_event, marker_event
from rigctl.recording.stream_files import StreamFiles


class StreamWriter:
    """Appends to one stream's folder; made by `create` or `reopen`.

    One thread appends, fills, marks and cuts; another one may call `sync` and read the counters.

    Args:
        folder: the stream's.
        header: what its `stream.json` says.
        files: its open files; what they hold is counted.
        events: where every marker is logged before it goes into the `.vmrk`.
    """

    def __init__(
        self,
        folder: Path,
        header: layout.StreamHeader,
        files: StreamFiles,
        events: EventLog | None = None,
    ) -> None:
        self.folder = folder
        self.info: StreamInfo = header.info
        self._events = events
        self._files = files
        self._missing_before = 0
        self._lost_before = False
        self.closed = False
        self._sync_lock = threading.Lock()
        self._count_all()
        self.durable_samples = self.samples

    @classmethod
    def create(
        cls,
        folder: Path,
        info: StreamInfo,
        *,
        name: str,
        facts: Mapping[str, Any] | None = None,
        events: EventLog | None = None,
        roll: Roll | None = None,
    ) -> "StreamWriter":
        """Make a stream's folder with all that describes it, on disk before the first sample.

        Args:
            folder: must not be there yet; see `layout.next_stream_folder`.
            info: the layout of the samples.
            name: the stream's name.
            facts: what else `stream.json` is to say, plain JSON, such as ring and block sizes.
            events: where every marker is logged before it goes into the `.vmrk`.
            roll: when to go on in a further part, which an append never exceeds that fits into one;
                None: never.

        Raises:
            RecordingError: it is there, or cannot be written.
        """
        header = layout.stream_header(info, name, dict(facts or {}))
        with writing(folder):
            folder.mkdir()
        write_new(folder / layout.STREAM, encode_document(header))
        writer = cls(folder, header, StreamFiles(folder, header, roll), events)
        with writing(folder):
            sync_folder(folder)
            sync_folder(folder.parent)
        return writer

    @classmethod
    def reopen(
        cls, folder: Path, events: EventLog | None = None, roll: Roll | None = None
    ) -> "StreamWriter":
        """Go on in a stream's folder that is in order, behind what is there; see `create`.

        Raises:
            RecordingError: it is not in order: recover the session first; or a file cannot be
                opened.
        """
        header = layout.read_stream_header(folder)
        writer = cls(folder, header, StreamFiles(folder, header, roll, goes_on=True), events)
        if events:  # markers of samples that were lost are not those of what follows
            writer._files.cut(writer.samples + 1)
            events.append_many([cut_event(folder.name, writer.samples + 1)])
        return writer

    @property
    def bytes(self) -> int:
        """The size of the samples on disk."""
        return self.samples * self.info.frame_bytes

    @property
    def digests(self) -> dict[str, FileDigest]:
        """Size and hash of the files that only grew, by their path below the session.

        Complete once the writer is closed; without what could not be synced or was reopened.
        """
        return {f"{self.folder.name}/{name}": d for name, d in self._files.digests.items()}

    @property
    def records(self) -> index.Records:
        """The index so far.

        Raises:
            RecordingError: it cannot be read.
        """
        return self._files.records()

    def append(
        self,
        samples: Samples,
        *,
        counter: int,
        arrival_s: float,
        flags: BlockFlags = BlockFlags.NONE,
    ) -> None:
        """Write samples behind those that are there, then their index record.

        Args:
            samples: whole frames, shape (points, *frame shape), of the stream's dtype.
            counter: the source's block counter.
            arrival_s: when they arrived, on the rig's clock.
            flags: what is remarkable about them; START is set on the first by itself.

        Raises:
            RecordingError: they do not fit the stream, or could not be written; the files then end
                where they ended before.
        """
        payload = self._payload(samples)
        if not payload.nbytes:
            return
        part, offset, rolled = self._files.place(payload.nbytes)
        record = index.Record(
            part=part,
            offset=offset,
            first=self.samples,
            count=len(samples),
            payload_crc=zlib.crc32(payload),
            counter=counter,
            arrival_s=arrival_s,
            flags=flags | self._pending_flags() | rolled,
            missing=self._missing_before,
        )
        self._files.write(payload, record)
        self._missing_before, self._lost_before = 0, False
        self._count(record)

    def fill(self, count: int, *, counter: int, arrival_s: float) -> None:
        """Stand in for lost samples: zeros, NaN for floats; flagged, marked and counted.

        Args:
            count: how many samples are lost.
            counter: the block counter of the first lost block.
            arrival_s: when the loss was seen.

        Raises:
            RecordingError: as `append`.
        """
        if count <= 0:
            return
        self.mark(Marker(self.samples, COMMENT, f"GAP {count}", points=count))
        flags = BlockFlags.FILLED | BlockFlags.GAP_BEFORE
        for samples in filling(self.info, count):
            self.append(samples, counter=counter, arrival_s=arrival_s, flags=flags)
            flags = BlockFlags.FILLED

    def new_segment(self, when: datetime, *, lost: bool = False, missing: int = 0) -> None:
        """Begin a segment at the next sample, with a marker that tells its time.

        Args:
            when: the wall clock at that sample.
            lost: whether samples before it are lost that nothing stands in for.
            missing: how many, where that is known; they are counted, and marked ``GAP <n>``.

        Raises:
            RecordingError: as `append`.
        """
        if missing:
            self.mark(Marker(self.samples, COMMENT, f"GAP {missing}"))
        self._mark([LoggedMarker.of(Marker(self.samples, NEW_SEGMENT), when)])
        self._lost_before = self._lost_before or lost or missing > 0
        self._missing_before += missing

    def mark(self, *markers: Marker) -> None:
        """Log markers and write them to the `.vmrk`; one flush for all of a call.

        Args:
            *markers: their positions count from the start of this stream's recording, from 0.

        Raises:
            RecordingError: they could not be written.
        """
        self._mark([LoggedMarker.of(marker) for marker in markers])

    def sync(self) -> int:
        """Make what is written durable, and return how many samples that are.

        May be called from another thread while samples are appended.

        Raises:
            RecordingError: it failed; see `AppendFile.sync`.
        """
        with self._sync_lock:
            if not self.closed:
                written = self.samples
                self._files.sync()
                self.durable_samples = written
                self._files.catch_up()
            return self.durable_samples

    def end_at(self, samples: int) -> None:
        """Cut off all samples from a number on, and the markers there; more may be appended.

        Raises:
            RecordingError: a file cannot be read or written.
        """
        with self._sync_lock:
            self._files.cut(samples)
            self._count_all()
            self.durable_samples = min(self.durable_samples, self.samples)
        if self._events:
            self._events.append_many([cut_event(self.folder.name, samples)])

    def close(self) -> None:
        """Make all of it durable, give back reserved space, and close the files."""
        try:
            self.sync()
        finally:
            with self._sync_lock:
                if not self.closed:
                    self.closed = True
                    self._files.close()

    def __enter__(self) -> "StreamWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _payload(self, samples: Samples) -> memoryview:
        info = self.info
        if samples.dtype != info.numpy_dtype or samples.shape[1:] != info.shape:
            raise RecordingError(
                f"{self.folder}: samples of {samples.dtype} {samples.shape[1:]} do not fit a stream"
                f" of {info.dtype} {info.shape}"
            )
        return np.ascontiguousarray(samples).reshape(-1).view(np.uint8).data

    def _pending_flags(self) -> BlockFlags:
        flags = BlockFlags.NONE if self.samples else BlockFlags.START
        return flags | BlockFlags.GAP_BEFORE if self._lost_before else flags

    def _count(self, record: index.Record) -> None:
        filled = record.count if record.flags & BlockFlags.FILLED else 0
        self.missing_samples += filled + record.missing
        self.gaps += bool(record.flags & BlockFlags.GAP_BEFORE)
        self.samples += record.count

    def _count_all(self) -> None:
        records = self.records
        self.samples = index.sample_count(records)
        self.gaps = index.gap_count(records)
        self.missing_samples = index.missing_samples(records)

    def _mark(self, entries: list[LoggedMarker]) -> None:
        if self._events:
            folder = self.folder.name
            self._events.append_many(marker_event(folder, entry) for entry in entries)
        if earlier := self._files.mark(entries):
            with self._sync_lock:
                self._files.mark_earlier(earlier)
