"""What a rig's folder of a session holds, as far as it can be read.

From: `session.json`, each stream's `stream.json` and index.  To: ``rigctl sessions list`` and
``show``.

Nothing is verified here: counts are those of the index.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import msgspec

from rigctl.blocks import StreamInfo
from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.durable import naming
from rigctl.recording.manifest import totals
from rigctl.recording.reader import DAMAGED
from rigctl.recording.session import Session, SessionRecord


class StreamFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One stream's folder."""

    channels: int
    """0 for images and the like; see `shape`."""
    channel_names: list[str]
    shape: tuple[int, ...]
    """Of one sample."""
    dtype: str
    rate_hz: float
    samples: int
    duration_s: float
    gaps: int
    missing_samples: int
    files: dict[str, int]
    """Sizes in bytes, by name."""
    open: list[str]
    """A line of Python for every part, that reads its samples."""


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One rig's part in a session."""

    path: str
    rig: str
    state: str
    sealed: bool
    duration_s: float | None
    session: SessionRecord | None
    """What `session.json` says; None where it cannot be read."""
    streams: dict[str, StreamFacts]
    """By folder; those that cannot be read are among the problems."""
    problems: list[str]


def read_facts(path: Path) -> SessionFacts:
    """Return what is in a rig's folder; what cannot be read is a problem, not an error.

    Raises:
        RecordingError: the folder itself cannot be read.
    """
    problems: list[str] = []
    record = _record(path, problems)
    with naming(path):
        folders = layout.stream_folders(path)
    streams = {}
    for folder in folders:
        try:
            streams[folder.name] = _stream_facts(folder)
        except RecordingError as error:
            problems.append(str(error))
    return SessionFacts(
        path=str(path),
        rig=record.rig if record else path.name,
        state=record.state if record else DAMAGED,
        sealed=(path / layout.MANIFEST).exists(),
        duration_s=longest_s(path, {name: facts.samples for name, facts in streams.items()}),
        session=record,
        streams=streams,
        problems=problems,
    )


def longest_s(session: Path, samples: Mapping[str, int]) -> float | None:
    """Return for how long the stream that has most was recorded, gaps that are filled included.

    Args:
        session: a rig's folder.
        samples: their number by the streams' folders, of which one stream may have several.
    """
    lasted: defaultdict[str, Fraction] = defaultdict(Fraction)
    for name, count in samples.items():
        with suppress(RecordingError):
            header = layout.read_stream_header(session / name)
            lasted[header.name] += count / header.info.rate_hz
    return float(max(lasted.values())) if lasted else None


def local_time(unix_s: float) -> str:
    """Return a time on this computer's wall clock, for people."""
    return datetime.fromtimestamp(unix_s).strftime("%Y-%m-%d %H:%M:%S")


def iso_time(unix_s: float) -> str:
    """Return a time as ISO 8601, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")


def duration(seconds: float | None) -> str:
    """Return a duration for people: ``7.9 s``, ``12 min 05 s``, ``1 h 02 min``."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left:02} min" if hours else f"{minutes} min {rest:02} s"


def _record(path: Path, problems: list[str]) -> SessionRecord | None:
    try:
        return Session.open(path).record
    except RecordingError as error:
        problems.append(str(error))
        return None


def _stream_facts(folder: Path) -> StreamFacts:
    info, counted = layout.read_stream_header(folder).info, totals(folder)
    with naming(folder):
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return StreamFacts(
        channels=info.shape[0] if len(info.shape) == 1 else 0,
        channel_names=[channel.name for channel in info.channels],
        shape=info.shape,
        dtype=info.dtype,
        rate_hz=float(info.rate_hz),
        samples=counted.samples,
        duration_s=float(counted.samples / info.rate_hz),
        gaps=counted.gaps,
        missing_samples=counted.missing_samples,
        files=files,
        open=[_opening(folder / name, info) for name in files if layout.is_data_file(name)],
    )


def _opening(data: Path, info: StreamInfo) -> str:
    """Return the line of Python that reads a file of samples."""
    if info.is_signal:
        return f"mne.io.read_raw_brainvision({_quoted(data.with_suffix('.vhdr'))})"
    shape = ", ".join(map(str, (-1, *info.shape)))
    return f'np.fromfile({_quoted(data)}, "{info.numpy_dtype.str}").reshape({shape})'


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)
