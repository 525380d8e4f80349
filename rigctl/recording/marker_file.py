"""A `.vmrk` file that grows with its part.

From: `part_files`.  To: `.vmrk`, which a reader finds complete at any time.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from rigctl.blocks import Marker
from rigctl.recording import brainvision
from rigctl.recording.durable import naming, replace, write_all, write_new, writing
from rigctl.recording.markers import NEW_SEGMENT, LoggedMarker, numbered, parsed_line
from rigctl.recording.space import Reservation

_RESERVE_BYTES = 1 << 16


class MarkerFile:
    """A `.vmrk` that grows: one whole line per marker, one New Segment per position.

    Args:
        path: must not be there yet, unless it goes on.
        data_file: the name of the samples' file.
        first: the number of that file's first sample; the positions in the file count from it,
            those of every call from the first sample of the recording.
        goes_on: whether it is there, and whole.

    Raises:
        RecordingError: it cannot be created, or read to go on.
    """

    def __init__(
        self, path: Path, data_file: str, first: int = 0, *, goes_on: bool = False
    ) -> None:
        self.path = path
        self.first = first
        self._head = brainvision.format_marker_head(data_file).encode()
        if not goes_on:
            write_new(path, self._head)
        standing = brainvision.read_markers(path)
        self._number = len(standing)
        self._segments = {item.position for item in standing if item.type == NEW_SEGMENT}
        self.standing = [self._absolute(marker) for marker in standing]
        """What it held when it was opened, without the times."""
        self._fd, self._reservation = _open(path)

    def append(self, entries: Iterable[LoggedMarker]) -> None:
        """Write markers with one write.

        Raises:
            RecordingError: it failed; a line may stand there in part.
        """
        placed = [_moved(entry, -self.first) for entry in entries]
        lines = [self._line(entry) for entry in placed if not self._is_repeated(entry)]
        if lines:
            with writing(self.path):
                write_all(self._fd, "".join(lines).encode())

    def cut(self, end: int) -> None:
        """Take out the markers that lie at a position or beyond; the events still have them.

        Raises:
            RecordingError: the file cannot be read or written.
        """
        end -= self.first
        with naming(self.path):
            text = self.path.read_bytes().removeprefix(self._head)
        lines = [line for line in map(parsed_line, text.splitlines(keepends=True)) if line]
        kept = [body for position, body in lines if position < end]
        self._segments = {position for position in self._segments if position < end}
        self._number = len(kept)
        self.close()
        replace(self.path, self._head + numbered(kept))
        self._fd, self._reservation = _open(self.path)

    def sync(self) -> None:
        """Make the markers durable."""
        with writing(self.path):
            os.fdatasync(self._fd)
            self._reservation.extend(os.fstat(self._fd).st_size)

    def close(self) -> None:
        """Give back what is reserved, and close the file."""
        with writing(self.path):
            try:
                self._reservation.trim(os.fstat(self._fd).st_size)
            finally:
                os.close(self._fd)
                self._fd = -1  # the system may give the number to another file

    def _line(self, entry: LoggedMarker) -> str:
        self._number += 1
        return brainvision.format_marker(self._number, entry.marker, entry.when)

    def _is_repeated(self, entry: LoggedMarker) -> bool:
        if entry.type != NEW_SEGMENT:
            return False
        repeated = entry.position in self._segments
        self._segments.add(entry.position)
        return repeated

    def _absolute(self, marker: Marker) -> LoggedMarker:
        return _moved(LoggedMarker.of(marker), self.first)


def _moved(entry: LoggedMarker, by: int) -> LoggedMarker:
    return msgspec.structs.replace(entry, position=entry.position + by) if by else entry


def _open(path: Path) -> tuple[int, Reservation]:
    """Open a marker file for appending; return its descriptor and what is reserved of it."""
    with writing(path):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        reservation = Reservation(fd, _RESERVE_BYTES)
        reservation.extend(os.fstat(fd).st_size)
    return fd, reservation
