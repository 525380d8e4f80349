"""The files of one stream that grow together: samples, index, markers.

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
from rigctl.errors import RecordingError
from rigctl.recording import index, layout
from rigctl.recording.append_file import AppendFile, FileDigest
from rigctl.recording.durable import naming
from rigctl.recording.markers import LoggedMarker, MarkerFile

RESERVE_S = 60
"""How much recording time space on disk is reserved for."""

_MAX_APPENDS_HZ = 250


class StreamFiles:
    """Samples, index and markers of one stream; one thread writes, another one may sync.

    Args:
        folder: the stream's.
        header: what its `stream.json` says.
        goes_on: whether the files are there already.

    Raises:
        RecordingError: they cannot be opened, or to go on: are not in order.
    """

    def __init__(self, folder: Path, header: layout.StreamHeader, *, goes_on: bool = False) -> None:
        info = header.info
        with ExitStack() as opened:
            data, ahead = folder / header.data, _bytes_ahead(info)
            self._data = AppendFile(data, ahead, goes_on=goes_on)
            opened.callback(self._data.close)
            ahead = _index_bytes_ahead(info)
            self._index = AppendFile(folder / layout.INDEX, ahead, goes_on=goes_on)
            opened.callback(self._index.close)
            records = self.records()
            _check_whole(records, self._data, self._index, header.frame_bytes)
            self._markers = _marker_file(folder, header, goes_on=goes_on)
            opened.pop_all()
        self._crc = _last_crc(records)
        self._frame_bytes = header.frame_bytes

    @property
    def size(self) -> int:
        """The size of the samples."""
        return self._data.size

    @property
    def digests(self) -> dict[str, FileDigest]:
        """Size and hash by name, of the files whose hash is known."""
        found = {file.path.name: file.digest for file in (self._data, self._index)}
        return {name: digest for name, digest in found.items() if digest}

    def records(self) -> index.Records:
        """Return the index so far.

        Raises:
            RecordingError: it cannot be read.
        """
        with naming(self._index.path):
            records = np.fromfile(self._index.path, index.RECORD)
        return records[: self._index.size // index.RECORD_BYTES]

    def write(self, payload: memoryview, record: index.Record) -> None:
        """Write samples and their record, or neither.

        Raises:
            RecordingError: they could not be written.
        """
        self._data.write(payload)
        try:
            self._write_record(record)
        except RecordingError:
            self._data.revert()
            raise
        self._data.settle(payload)

    def mark(self, entries: Iterable[LoggedMarker]) -> None:
        """Write markers, where the format has them.

        Raises:
            RecordingError: they could not be written.
        """
        if self._markers:
            self._markers.append(entries)

    def sync(self) -> None:
        """Make what is written durable, samples before their records.

        Raises:
            RecordingError: it failed; see `AppendFile.sync`.
        """
        self._data.sync()
        self._index.sync()
        if self._markers:
            self._markers.sync()

    def hash_settled(self) -> None:
        """Hash what was written since the last time.

        Raises:
            RecordingError: it cannot be read back.
        """
        self._data.hash_settled()
        self._index.hash_settled()

    def cut(self, samples: int) -> None:
        """Cut off all samples from a number on, and the markers beyond; the rest stays as it is.

        A kill on the way leaves samples that have no record, which a recovery moves aside.

        Raises:
            RecordingError: a file cannot be read or written.
        """
        records = self.records()
        kept = int(np.searchsorted(records["first"] + records["count"], samples, side="right"))
        whole = index.sample_count(records[:kept])
        if kept == len(records):
            if self._markers:
                self._markers.cut(samples)
            return
        head = self._data.read(whole * self._frame_bytes, (samples - whole) * self._frame_bytes)
        self._crc = _last_crc(records[:kept])
        self._index.cut(kept * index.RECORD_BYTES)
        if head:
            self._write_record(_shortened(records[kept], head, self._frame_bytes))
        self._data.cut(samples * self._frame_bytes)
        if self._markers:
            self._markers.cut(samples)

    def close(self) -> None:
        """Give back reserved space, and close the files."""
        with ExitStack() as files:
            for file in (self._data, self._index, self._markers):
                if file:
                    files.callback(file.close)

    def _write_record(self, record: index.Record) -> None:
        entry, crc = index.encode(record, self._crc)
        self._index.write(entry)
        self._index.settle(entry)
        self._crc = crc


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


def _last_crc(records: index.Records) -> int:
    return int(records[-1]["crc"]) if len(records) else 0


def _check_whole(
    records: index.Records, data: AppendFile, index_file: AppendFile, frame_bytes: int
) -> None:
    """Raise unless the samples end where the index says, in the first part."""
    if len(records) and records[-1]["part"] != 1:
        raise RecordingError(f"{data.path}: it has further parts, and cannot be gone on with")
    torn = index_file.size % index.RECORD_BYTES
    if torn or index.sample_count(records) * frame_bytes != data.size:
        raise RecordingError(
            f"{data.path}: it does not end where its index says: recover the session first"
        )


def _marker_file(folder: Path, header: layout.StreamHeader, *, goes_on: bool) -> MarkerFile | None:
    if not header.info.is_signal:
        return None
    path = (folder / header.data).with_suffix(".vmrk")
    return MarkerFile(path, header.data, goes_on=goes_on)


def _bytes_ahead(info: StreamInfo) -> int:
    return int(info.rate_hz * RESERVE_S) * info.frame_bytes


def _index_bytes_ahead(info: StreamInfo) -> int:
    return int(min(float(info.rate_hz), _MAX_APPENDS_HZ) * RESERVE_S) * index.RECORD_BYTES
