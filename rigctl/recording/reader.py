"""Sessions and streams for reading, while they are recorded and after.

From: the folders of a data root.  To: the command line, exports, analysis.

Live readers trust only what the index covers.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from rigctl.blocks import BlockFlags, Marker, StreamInfo
from rigctl.errors import BadReference, RecordingError, SessionNotFound
from rigctl.messages import ExpRef
from rigctl.recording import brainvision, index, layout, markers
from rigctl.recording.durable import naming
from rigctl.recording.events import read_events
from rigctl.recording.parts import JoinedParts, SampleArray
from rigctl.recording.session import Session

DAMAGED = "DAMAGED"

_DEPTH = "*/????-??-??/*/*"
_DEPTH_PARTS = 4


class SessionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One rig's part in a session, as a list shows it."""

    ref: str
    rig: str
    path: str
    state: str
    """``DAMAGED`` where `session.json` cannot be read."""
    sealed: bool
    start_unix_s: float | None
    samples: dict[str, int]
    """By stream folder, as its index counts them; not verified."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where samples are lost."""

    position: int
    """The first sample that stands in for lost ones, or the first after the loss."""
    filled: int
    """How many samples stand in for lost ones."""
    missing: int
    """How many are known to be lost beside those."""


@dataclass(frozen=True, slots=True, eq=False)
class StreamReader:
    """One stream's folder as it was when it was opened; open it again to see more."""

    path: Path
    header: layout.StreamHeader
    index: index.Records
    """The trusted records (`rigctl.recording.index.RECORD`)."""
    samples: SampleArray
    """Shape (samples, *frame shape), read only; on disk until they are asked for."""
    markers: tuple[Marker, ...]
    """Their positions count from the first sample."""

    @property
    def info(self) -> StreamInfo:
        """The layout of the samples."""
        return self.header.info

    @property
    def gaps(self) -> list[Gap]:
        """Where samples are lost."""
        found: list[Gap] = []
        remarkable = (self.index["flags"] & (BlockFlags.GAP_BEFORE | BlockFlags.FILLED)) != 0
        for record in self.index[remarkable]:  # few of millions
            flags = BlockFlags(int(record["flags"]))
            filled = int(record["count"]) if flags & BlockFlags.FILLED else 0
            if flags & BlockFlags.GAP_BEFORE:
                found.append(Gap(int(record["first"]), filled, int(record["missing"])))
            elif filled and found:
                last = found[-1]
                found[-1] = Gap(last.position, last.filled + filled, last.missing)
        return found


def find_sessions(data_root: Path) -> list[SessionEntry]:
    """Return every session below a data root, those set aside included, oldest first."""
    found = []
    for path in data_root.glob(_DEPTH):
        ref = reference_of(path)
        if ref and path.is_dir():
            found.append((ref.date, ref.sequence, path.name, _entry(path, ref)))
    return [item[-1] for item in sorted(found, key=lambda item: item[:-1])]


def resolve(target: str, roots: Sequence[Path]) -> list[Path]:
    """Return the rig folders that an experiment reference or a path means.

    Args:
        target: a reference, the folder of a session number, or one rig's folder in it.
        roots: the data roots to look for a reference in.

    Raises:
        SessionNotFound: with where it was looked for.
    """
    path = Path(target)
    folders = [path] if path.is_dir() else [root / _folder(target) for root in roots]
    found = [rig for folder in folders for rig in _rigs(folder)]
    if not found:
        looked = ", ".join(map(str, folders)) or "no data root"
        raise SessionNotFound(f"no session {target}: looked in {looked}")
    return found


def open_stream(path: Path) -> StreamReader:
    """Open a stream's folder, of a recording that goes on or is done.

    Raises:
        RecordingError: what describes it is damaged, or a file cannot be read.
    """
    header = layout.read_stream_header(path)
    with naming(path / layout.INDEX):
        data = (path / layout.INDEX).read_bytes()
    records = index.walk(data, header.frame_bytes).trusted
    samples = _samples(path, header, records)
    return StreamReader(path, header, records, samples, tuple(_markers(path, header, records)))


def _samples(path: Path, header: layout.StreamHeader, records: index.Records) -> SampleArray:
    """Map the parts one after the other, up to the first that ends before its time."""
    arrays = [np.empty((0, *header.shape), header.info.numpy_dtype)]
    for part, size in index.part_sizes(records, header.frame_bytes).items():
        mapped = _mapped(path / layout.part_name(header.data, part), header, size)
        arrays.append(mapped)
        if len(mapped) * header.frame_bytes < size:
            break
    return arrays[-1] if len(arrays) <= 2 else JoinedParts(arrays[1:])


def _mapped(path: Path, header: layout.StreamHeader, size: int) -> npt.NDArray[Any]:
    """Map a part as far as the index covers it and it is there."""
    with naming(path):
        points = min(size, path.stat().st_size) // header.frame_bytes
        shape = (points, *header.shape)
        if points == 0:  # the system maps no empty file
            return np.empty(shape, header.info.numpy_dtype)
        return np.memmap(path, header.info.numpy_dtype, "r", shape=shape)


def _markers(path: Path, header: layout.StreamHeader, records: index.Records) -> list[Marker]:
    """Return the markers of the `.vmrk`, or for other streams those of the session's events."""
    if header.info.is_signal:
        starts = index.part_starts(records, header.frame_bytes) or {1: 0}
        ends = [*list(starts.values())[1:], math.inf]
        return [
            marker
            for (part, first), end in zip(starts.items(), ends, strict=True)
            for marker in _markers_of_part(path / layout.part_name(header.data, part), first)
            if marker.position < end  # else it is in the next one too, as long as both are written
        ]
    events = path.parent / layout.EVENTS
    if not events.exists():
        return []
    logged = markers.logged_markers(read_events(events).events, path.name)
    return [entry.marker for entry in logged]


def _markers_of_part(data: Path, first: int) -> Iterator[Marker]:
    """Yield a part's markers, their positions counted from the start of the recording."""
    for marker in brainvision.read_markers(data.with_name(layout.marker_name(data.name))):
        if not markers.is_roll_over(marker):
            yield dataclasses.replace(marker, position=first + marker.position)


def _entry(path: Path, ref: ExpRef) -> SessionEntry:
    try:
        record = Session.open(path).record
        rig, state, start = record.rig, record.state, record.clock.unix_s
    except RecordingError:
        rig, state, start = path.name, DAMAGED, None
    return SessionEntry(
        ref=str(ref),
        rig=rig,
        path=str(path),
        state=state,
        sealed=(path / layout.MANIFEST).exists(),
        start_unix_s=start,
        samples={folder.name: _counted(folder) for folder in layout.stream_folders(path)},
    )


def _counted(folder: Path) -> int:
    """Return how many samples the last whole record of an index counts, without walking it."""
    try:
        with (folder / layout.INDEX).open("rb") as file:
            whole = file.seek(0, 2) // index.RECORD_BYTES
            file.seek(max(0, whole - 1) * index.RECORD_BYTES)
            last = file.read(index.RECORD_BYTES) if whole else b""
    except OSError:
        return 0
    return index.sample_count(np.frombuffer(last, index.RECORD))


def reference_of(path: Path) -> ExpRef | None:
    """Return the reference that the place of a rig's folder stands for, if it stands in one."""
    if len(path.parts) < _DEPTH_PARTS:
        return None
    subject, date, number = path.parts[-_DEPTH_PARTS:-1]
    try:
        ref = ExpRef.parse(f"{date}_{number}_{subject}")
    except BadReference:
        return None
    return ref if ref.folder == "/".join(path.parts[-_DEPTH_PARTS:-1]) else None


def _folder(target: str) -> str:
    try:
        return ExpRef.parse(target).folder
    except BadReference as error:
        raise SessionNotFound(f"{target} is neither a folder nor a reference: {error}") from error


def _rigs(folder: Path) -> list[Path]:
    """Return a rig's folder, or those in the folder of a session number that are not set aside.

    Those that have lost their `session.json` are meant too: who asks must hear of them.
    """
    if (folder / layout.SESSION).exists():
        return [folder]
    with naming(folder):
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        found = [path for path in inside if ".abandoned-" not in path.name and _is_rig(path)]
        return found or [folder] * layout.holds_session(folder)


def _is_rig(path: Path) -> bool:
    """Whether a folder is a rig's, as far as it can be told."""
    try:
        return layout.holds_session(path)
    except OSError:
        return True  # it cannot be read, which is to be heard of
