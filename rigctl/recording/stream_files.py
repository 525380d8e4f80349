"""The files of one stream that grow together: samples and markers in parts, and one index.

From: `stream_writer`.  To: the stream's folder (`layout`).

They are made once, and may be opened again after a crash, to go on where they end.
"""

import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from rigctl.blocks import BlockFlags, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.errors import RecordingError
from rigctl.recording import index, layout
from rigctl.recording.append_file import AppendFile, FileDigest
from rigctl.recording.durable import naming
from rigctl.recording.markers import NEW_SEGMENT, FurtherPart, LoggedMarker
from rigctl.recording.part_chain import RESERVE_S, PartChain
from rigctl.recording.part_files import PartFiles
from rigctl.recording.rolling import began_at

MAX_APPENDS_HZ = 250
"""How many appends a second room in the index is kept for, at most."""


class StreamFiles:
    """Samples, markers and index of one stream; one thread writes, another one may sync.

    Args:
        folder: the stream's.
        header: what its `stream.json` says.
        roll: when to go on in a further part; None: never.
        goes_on: whether the files are there already.

    Raises:
        RecordingError: they cannot be opened, or to go on: are not in order.
    """

    def __init__(
        self,
        folder: Path,
        header: layout.StreamHeader,
        roll: Roll | None = None,
        *,
        goes_on: bool = False,
    ) -> None:
        self._info = header.info
        self._frame_bytes = header.frame_bytes
        with ExitStack() as opened:
            ahead = _index_bytes_ahead(header.info)
            self._index = AppendFile(folder / layout.INDEX, ahead, goes_on=goes_on)
            opened.callback(self._index.close)
            records = self.records()
            last = self._last_part(records) if goes_on else None
            self._chain = PartChain(folder, header, roll, last)
            opened.callback(self._chain.close)
            if goes_on:
                self._check_whole(folder, records)
            opened.pop_all()
        self._crc = _last_crc(records)

    @property
    def digests(self) -> dict[str, FileDigest]:
        """Size and hash by name, of the files whose hash is known."""
        own = self._index.digest
        return self._chain.digests | ({self._index.path.name: own} if own else {})

    def records(self) -> index.Records:
        """Return the index so far.

        Raises:
            RecordingError: it cannot be read.
        """
        with naming(self._index.path):
            records = np.fromfile(self._index.path, index.RECORD)
        return records[: self._index.size // index.RECORD_BYTES]

    def place(self, size: int) -> tuple[int, int, BlockFlags]:
        """Return part and offset for so many bytes, and ROLL_OVER if they begin a further part."""
        return self._chain.place(size)

    def write(self, payload: memoryview, record: index.Record) -> None:
        """Write samples and their record where `place` says, or neither.

        Raises:
            RecordingError: they could not be written.
        """
        part = self._chain.last
        if record.part == part.number:
            self._write(part, payload, record)
            return
        with self._chain.further(record.first) as further:
            self._write(further, payload, record, self._opening(record, part.ahead))

    def mark(self, entries: Iterable[LoggedMarker]) -> list[LoggedMarker]:
        """Write markers, where the format has them; return those of earlier parts, not written.

        Raises:
            RecordingError: they could not be written.
        """
        return self._chain.mark(entries)

    def mark_earlier(self, entries: Iterable[LoggedMarker]) -> None:
        """Write markers into earlier parts; nobody may sync meanwhile.

        Raises:
            RecordingError: they could not be written.
        """
        self._chain.mark_earlier(entries, index.part_starts(self.records(), self._frame_bytes))

    def sync(self) -> None:
        """Make what is written durable, samples before their records.

        Raises:
            RecordingError: it failed; see `AppendFile.sync`.
        """
        self._chain.sync_samples()
        self._index.sync()
        self._chain.sync_markers()

    def catch_up(self) -> None:
        """Hash what was written since the last time, and put the parts in order.

        Raises:
            RecordingError: it cannot be read back, or a part that is full not be closed.
        """
        self._index.hash_settled()
        self._chain.catch_up()

    def cut(self, samples: int) -> None:
        """Cut off all samples from a number on, and the markers beyond; the rest stays as it is.

        A kill on the way leaves samples that have no record, which a recovery moves aside.

        Raises:
            RecordingError: a file cannot be read or written.
        """
        records = self.records()
        kept = int(np.searchsorted(records["first"] + records["count"], samples, side="right"))
        if kept == len(records):
            self._chain.last.cut_ahead(samples)
            return
        inside = samples - index.sample_count(records[:kept])
        number, first = self._last_part(records[: kept + (inside > 0)])
        part = self._chain.reach(number, first)
        head = part.data.read(
            (samples - inside - first) * self._frame_bytes, inside * self._frame_bytes
        )
        self._crc = _last_crc(records[:kept])
        self._index.cut(kept * index.RECORD_BYTES)
        if head:
            self._write_record(_shortened(records[kept], head, self._frame_bytes))
        self._index.sync()  # no record may outlive the file that it speaks of
        self._chain.drop_behind(number)
        part.cut(samples)

    def close(self) -> None:
        """Give back reserved space, and close the files."""
        with ExitStack() as files:
            files.callback(self._index.close)
            files.callback(self._chain.close)

    def _write(
        self,
        part: PartFiles,
        payload: memoryview,
        record: index.Record,
        opening: Iterable[LoggedMarker] = (),
    ) -> None:
        part.data.write(payload)
        try:
            if opening:
                part.mark(opening)
            self._write_record(record)
        except RecordingError:
            part.data.revert()
            raise
        part.settle(payload)

    def _write_record(self, record: index.Record) -> None:
        entry, crc = index.encode(record, self._crc)
        self._index.write(entry)
        self._index.settle(entry)
        self._crc = crc

    def _opening(self, record: index.Record, ahead: list[LoggedMarker]) -> list[LoggedMarker]:
        """Return the markers of a further part: that it begins, and those that waited for it."""
        begins = FurtherPart(record.first, began_at(record, self._info)).segment
        timed = [entry for entry in ahead if entry.type != NEW_SEGMENT or entry.when]
        return sorted([*timed, begins], key=_segments_first)

    def _last_part(self, records: index.Records) -> tuple[int, int]:
        """Return the number of the last part and of its first sample."""
        starts = index.part_starts(records[-1:], self._frame_bytes)
        return next(iter(starts.items()), (1, 0))

    def _check_whole(self, folder: Path, records: index.Records) -> None:
        """Raise unless the samples end where the index says, and no part follows."""
        part = self._chain.last
        size = (index.sample_count(records) - part.first) * self._frame_bytes
        further = max(layout.part_files(folder)) > part.number
        if self._index.size % index.RECORD_BYTES or further or size != part.data.size:
            raise RecordingError(
                f"{part.data.path}: it does not end where its index says: recover the session first"
            )


def _shortened(record: Any, payload: bytes, frame_bytes: int) -> index.Record:
    """Return the record of the first samples of an append."""
    return index.Record(
        offset=int(record["offset"]),
        first=int(record["first"]),
        count=len(payload) // frame_bytes,
        payload_crc=zlib.crc32(payload),
        counter=int(record["counter"]),
        arrival_s=float(record["arrival_s"]),
        flags=BlockFlags(int(record["flags"])),
        missing=int(record["missing"]),
        part=int(record["part"]),
    )


def _segments_first(entry: LoggedMarker) -> tuple[int, bool]:
    return entry.position, entry.type != NEW_SEGMENT


def _last_crc(records: index.Records) -> int:
    return int(records[-1]["crc"]) if len(records) else 0


def _index_bytes_ahead(info: StreamInfo) -> int:
    return int(min(float(info.rate_hz), MAX_APPENDS_HZ) * RESERVE_S) * index.RECORD_BYTES
