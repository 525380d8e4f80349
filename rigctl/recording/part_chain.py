"""The parts of a stream while it is written: which one takes samples, and what becomes of others.

From: `stream_files`.  To: `part_files`, one for each part that is open.

    append thread:  writes into the last of them; when it is full, a further one begins
    flush thread:   closes those that are full and durable; makes the next one ready ahead, headers
                    on disk and all, so that no append waits for that
"""

import bisect
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from logging import getLogger
from pathlib import Path

from rigctl.blocks import BlockFlags, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.append_file import FileDigest
from rigctl.recording.durable import sync_folder, writing
from rigctl.recording.marker_file import MarkerFile
from rigctl.recording.markers import LoggedMarker
from rigctl.recording.part_files import PartFiles, remove_parts
from rigctl.recording.rolling import most_bytes

logger = getLogger(__name__)

RESERVE_S = 60
"""How much recording time space on disk is reserved for."""

_SYNCS_AHEAD = 4
"""So many flushes before a part is full, as it grows at present, the next one is made ready."""


class PartChain:
    """The open parts of one stream; one thread writes, another one may sync.

    Args:
        folder: the stream's.
        header: what its `stream.json` says.
        roll: when to go on in a further part; None: never.
        last: the number of the part that goes on, and of its first sample; None: there is none.

    Raises:
        RecordingError: a file cannot be made or opened.
    """

    def __init__(
        self,
        folder: Path,
        header: layout.StreamHeader,
        roll: Roll | None,
        last: tuple[int, int] | None = None,
    ) -> None:
        self._folder = folder
        self._header = header
        self._most_bytes = most_bytes(roll, header.info)
        part = self._open(*last) if last else self._open(1, 0, goes_on=False)
        self._parts = [part]
        """Those that are open; samples go into the last, those before it are full."""
        self._next: PartFiles | None = None
        self._next_lock = threading.Lock()
        self._syncing: list[PartFiles] = []
        self._full: list[PartFiles] = []
        """Those that were full when all of it was made durable the last time."""
        self._grown_to = (part.number, part.data.size)
        self._closed_digests: dict[str, FileDigest] = {}

    @property
    def last(self) -> PartFiles:
        """The part that takes samples."""
        return self._parts[-1]

    @property
    def digests(self) -> dict[str, FileDigest]:
        """Size and hash by name, of the files of samples whose hash is known."""
        found = {part.data.path.name: part.data.digest for part in list(self._parts)}
        return self._closed_digests | {name: digest for name, digest in found.items() if digest}

    def place(self, size: int) -> tuple[int, int, BlockFlags]:
        """Return part and offset for so many bytes, and ROLL_OVER if they begin a further part."""
        part, end = self.last, self.last.data.size
        if self._most_bytes is not None and 0 < end > self._most_bytes - size:
            return part.number + 1, 0, BlockFlags.ROLL_OVER
        return part.number, end, BlockFlags.NONE

    @contextmanager
    def further(self, first: int) -> Iterator[PartFiles]:
        """Hand out the next part; it takes samples from then on, unless an error is raised inside.

        Raises:
            RecordingError: it cannot be made.
        """
        with self._next_lock:
            part, self._next = self._next or self._make(self.last.number + 1), None
            try:
                part.begin(first)
                yield part
            except RecordingError:
                self._discard(part)
                raise
            self._parts.append(part)

    def mark(self, entries: Iterable[LoggedMarker]) -> list[LoggedMarker]:
        """Write markers, and return those of earlier parts, which are not written.

        Raises:
            RecordingError: they could not be written.
        """
        part = self.last
        if part.number == 1:
            part.mark(entries)
            return []
        entries = list(entries)
        part.mark(entry for entry in entries if entry.position >= part.first)
        return [entry for entry in entries if entry.position < part.first]

    def mark_earlier(self, entries: Iterable[LoggedMarker], starts: Mapping[int, int]) -> None:
        """Write markers into parts that are full; nobody may sync meanwhile.

        Args:
            entries: what `mark` returned.
            starts: the number of each part's first sample.

        Raises:
            RecordingError: they could not be written.
        """
        numbers, firsts = list(starts), list(starts.values())
        for entry in entries if self._header.info.is_signal else ():
            number = numbers[max(bisect.bisect_right(firsts, entry.position) - 1, 0)]
            self._mark_in(number, starts[number], entry)

    def sync_samples(self) -> None:
        """Make the samples durable that are written.

        Raises:
            RecordingError: it failed; see `AppendFile.sync`.
        """
        self._syncing = list(self._parts)
        for part in self._syncing:
            part.data.sync()

    def sync_markers(self) -> None:
        """Make the markers of the same parts durable.

        Raises:
            RecordingError: it failed.
        """
        for part in self._syncing:
            part.sync_markers()
        self._full = self._syncing[:-1]

    def catch_up(self) -> None:
        """Hash what was written, close the parts that are full, and make the next one ready.

        Raises:
            RecordingError: what was written cannot be read back, or a file cannot be closed.
        """
        for part in list(self._parts):
            part.data.hash_settled()
        while self._full:
            self._finish(self._full.pop(0))
        self._make_ready()

    def reach(self, number: int, first: int) -> PartFiles:
        """Return a part, opened again if it was closed; nobody may sync meanwhile.

        Raises:
            RecordingError: it cannot be opened.
        """
        for part in self._parts:
            if part.number == number:
                return part
        self._parts.insert(0, self._open(number, first))
        return self._parts[0]

    def drop_behind(self, number: int) -> None:
        """Remove all parts behind one that is open, which takes samples from then on.

        Raises:
            RecordingError: a file cannot be closed or removed.
        """
        with self._next_lock:
            behind = [part for part in self._parts if part.number > number]
            behind += [self._next] if self._next else []
            self._next, self._full, self._syncing = None, [], []
            self._parts = sorted(set(self._parts) - set(behind), key=_number)
            for part in behind:
                part.close()
            remove_parts(self._folder, number)
        kept = self._closed_digests.items()
        self._closed_digests = {n: d for n, d in kept if (layout.part_number(n) or 0) < number}

    def close(self) -> None:
        """Give back reserved space, and close the files; a part that is only ready is removed."""
        with self._next_lock, ExitStack() as files:
            further, self._next = self._next, None
            if further:
                files.callback(self._discard, further)
            for part in self._parts:
                files.callback(part.close)

    def _open(self, number: int, first: int, *, goes_on: bool = True) -> PartFiles:
        ahead = _bytes_ahead(self._header.info)
        if self._most_bytes is not None:
            ahead = min(ahead, self._most_bytes)
        return PartFiles(self._folder, self._header, number, first, ahead, goes_on=goes_on)

    def _make(self, number: int) -> PartFiles:
        """Make the files of a further part, or none of them."""
        if layout.part_files(self._folder).get(number):
            path = self._folder / layout.part_name(self._header.data, number)
            raise RecordingError(f"{path}: a file of this part is there already: move it away")
        try:
            part = self._open(number, 0, goes_on=False)
            with writing(self._folder):
                sync_folder(self._folder)
        except RecordingError:
            remove_parts(self._folder, number - 1)
            raise
        return part

    def _make_ready(self) -> None:
        """Make the next part if the present one will be full in a few flushes."""
        with self._next_lock:
            part, (number, before) = self.last, self._grown_to
            size = part.data.size
            grown = size - (before if number == part.number else 0)
            self._grown_to = part.number, size
            most = self._most_bytes
            if most is None or self._next or size + _SYNCS_AHEAD * grown < most:
                return
            try:
                self._next = self._make(part.number + 1)
            except RecordingError as error:  # raised again when a sample needs it
                logger.warning("the next part cannot be made ready: %s", error)

    def _finish(self, part: PartFiles) -> None:
        """Close a part that is full and durable."""
        try:
            part.finish()
        finally:
            if digest := part.data.digest:
                self._closed_digests[part.data.path.name] = digest
            self._parts.remove(part)

    def _discard(self, part: PartFiles) -> None:
        """Close and remove a part that holds nothing."""
        try:
            part.close()
        finally:
            remove_parts(self._folder, part.number - 1)

    def _mark_in(self, number: int, first: int, entry: LoggedMarker) -> None:
        for part in self._parts:
            if part.number == number:
                part.mark([entry])
                return
        data = layout.part_name(self._header.data, number)
        path = self._folder / layout.marker_name(data)
        markers = MarkerFile(path, data, first, goes_on=True)
        try:
            markers.append([entry])
            markers.sync()
        finally:
            markers.close()


def _number(part: PartFiles) -> int:
    return part.number


def _bytes_ahead(info: StreamInfo) -> int:
    return int(info.rate_hz * RESERVE_S) * info.frame_bytes
