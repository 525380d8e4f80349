"""One part of a recording while it is written: its samples, and its markers where it has them.

From: `stream_files`.  To: `data.eeg`, `.vhdr` and `.vmrk`, or `data.bin` (`layout`).

The header is on disk before the file of samples is made, so that the three are a valid BrainVision
recording at every moment.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from rigctl.recording import brainvision, layout
from rigctl.recording.append_file import AppendFile
from rigctl.recording.durable import sync_folder, write_new, writing
from rigctl.recording.marker_file import MarkerFile
from rigctl.recording.markers import LoggedMarker


class PartFiles:
    """The files of one part; one thread writes, another one may sync.

    Args:
        folder: the stream's.
        header: what its `stream.json` says.
        number: which part, from 1.
        first: the number of its first sample.
        ahead: bytes to reserve ahead.
        goes_on: whether the files are there already; else they must not be.

    Raises:
        RecordingError: they cannot be made or opened.
    """

    def __init__(
        self,
        folder: Path,
        header: layout.StreamHeader,
        number: int,
        first: int,
        ahead: int = 0,
        *,
        goes_on: bool = False,
    ) -> None:
        self.number = number
        self._first = first
        self._frame_bytes = header.frame_bytes
        name = layout.part_name(header.data, number)
        with ExitStack() as opened:
            self._markers: MarkerFile | None = None
            if header.info.is_signal:
                if not goes_on:
                    _write_header(folder, header, name)
                path = folder / layout.marker_name(name)
                self._markers = MarkerFile(path, name, first, goes_on=goes_on)
                opened.callback(self._markers.close)
            self.data = AppendFile(folder / name, ahead, goes_on=goes_on)
            opened.pop_all()
        standing = self._markers.standing if self._markers else []
        self._ahead = self._not_yet_there(standing)

    @property
    def first(self) -> int:
        """The number of its first sample."""
        return self._first

    @property
    def stop(self) -> int:
        """The number of the sample behind its last."""
        return self._first + self.data.size // self._frame_bytes

    @property
    def ahead(self) -> list[LoggedMarker]:
        """The markers of samples that have not come yet."""
        return self._ahead

    def begin(self, first: int) -> None:
        """Say which sample will be its first, before anything is written."""
        self._first = first
        if self._markers:
            self._markers.first = first

    def settle(self, payload: memoryview) -> None:
        """Count what was written last as part of it."""
        self.data.settle(payload)
        if self._ahead:
            self._ahead = self._not_yet_there(self._ahead)

    def mark(self, entries: Iterable[LoggedMarker]) -> None:
        """Write markers, where the format has them.

        Raises:
            RecordingError: they could not be written.
        """
        if self._markers:
            entries = list(entries)
            self._markers.append(entries)
            self._ahead += self._not_yet_there(entries)

    def sync_markers(self) -> None:
        """Make the markers durable."""
        if self._markers:
            self._markers.sync()

    def cut(self, samples: int) -> None:
        """Cut off all samples from a number on, and the markers there and beyond.

        Raises:
            RecordingError: a file cannot be read or written.
        """
        self.data.cut((samples - self._first) * self._frame_bytes)
        if self._markers:
            self._markers.cut(samples)
        self._ahead = []

    def cut_ahead(self, position: int) -> None:
        """Take out the markers at a position or beyond whose samples have not come yet.

        Raises:
            RecordingError: the file cannot be read or written.
        """
        kept = [entry for entry in self._ahead if entry.position < position]
        if self._markers and len(kept) < len(self._ahead):
            self._markers.cut(position)
        self._ahead = kept

    def finish(self) -> None:
        """Close it behind its last sample; markers of what follows are in the next part.

        Raises:
            RecordingError: a file cannot be read or written; they are closed nevertheless.
        """
        try:
            if self._markers and self._ahead:
                self._markers.cut(self.stop)
        finally:
            self.close()

    def close(self) -> None:
        """Give back reserved space, and close the files."""
        with ExitStack() as files:
            files.callback(self.data.close)
            if self._markers:
                files.callback(self._markers.close)

    def _not_yet_there(self, entries: Iterable[LoggedMarker]) -> list[LoggedMarker]:
        return [entry for entry in entries if entry.position >= self.stop]


def remove_parts(folder: Path, behind: int) -> None:
    """Remove the files of all parts behind a number, the last part first.

    A kill on the way leaves the first of them, and headers without samples.

    Raises:
        RecordingError: a file cannot be removed.
    """
    with writing(folder):
        found = layout.part_files(folder)
        paths = [path for part in _behind(found, behind) for path in found[part]]
        for path in paths:
            path.unlink()
        if paths:
            sync_folder(folder)


def _behind(parts: Iterable[int], number: int) -> Iterator[int]:
    return (part for part in sorted(parts, reverse=True) if part > number)


def _write_header(folder: Path, header: layout.StreamHeader, data: str) -> None:
    text = brainvision.format_header(header.info, data, layout.marker_name(data))
    write_new(folder / layout.header_name(data), text.encode())
