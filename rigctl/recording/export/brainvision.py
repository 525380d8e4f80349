"""A BrainVision triplet of a signal that is not recorded as one, through pybv.

From: `export.source`.  To: a folder with ``<stream>.vhdr``, ``.vmrk`` and ``.eeg``.

pybv takes a whole recording from memory, so it is handed one piece after the other, and the pieces'
samples are put together: in a multiplexed file those of the next one follow on.  The header is the
first piece's; the markers are written as the recorder writes them, since pybv knows no segments.
Values are float32 x the channel's resolution: integers of up to 24 bits are exact.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rigctl.blocks import Marker
from rigctl.errors import RecordingError
from rigctl.recording import brainvision
from rigctl.recording.export.source import Advance, Source
from rigctl.recording.extras import library
from rigctl.recording.markers import NEW_SEGMENT
from rigctl.recording.opened_stream import OpenStream
from rigctl.recording.to_mne import volts

_FORMAT = "binary_float32"
_PIECE_VALUES = 1 << 20


def check(stream: OpenStream) -> None:
    """Raise unless the format can hold a stream.

    Raises:
        RecordingError: it cannot.
    """
    stream.check_signal("a BrainVision file")
    if not len(stream):
        raise RecordingError(f"stream {stream.name} has no sample yet: pybv writes none of those")


def write(source: Source, target: Path, advance: Advance) -> None:
    """Write each stream's triplet into a new folder."""
    target.mkdir()
    for stream in source.streams:
        _write_stream(stream, target, advance)


def _write_stream(stream: OpenStream, folder: Path, advance: Advance) -> None:
    pieces = folder / ".piece"
    data = folder / f"{stream.name}.eeg"
    with data.open("xb") as file:
        for samples in _pieces(stream):
            _write_piece(stream, samples, pieces)
            _append(pieces / data.name, file)
            advance(samples.nbytes)
    (pieces / f"{stream.name}.vhdr").rename(data.with_suffix(".vhdr"))
    for left in pieces.iterdir():
        left.unlink()
    pieces.rmdir()
    data.with_suffix(".vmrk").write_text(_markers(stream, data.name), "utf-8")


def _pieces(stream: OpenStream) -> Iterator[Any]:
    size = max(1, _PIECE_VALUES // stream.info.shape[0])
    for start in range(0, len(stream), size):
        yield stream.samples[start : start + size]


def _write_piece(stream: OpenStream, samples: Any, folder: Path) -> None:
    """Have pybv write samples, handed over in volts where they are that."""
    pybv = library("pybv", "brainvision")
    channels = stream.channels
    units = [_micro(channel.unit) for channel in channels] or ["n/a"] * stream.info.shape[0]
    resolutions = np.array([channel.resolution for channel in channels] or [1.0] * len(units))
    factors = resolutions * [volts(unit) or 1.0 for unit in units]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of units other than microvolts: we know
        pybv.write_brainvision(
            data=np.asarray(samples, np.float64).T * factors[:, np.newaxis],
            sfreq=stream.rate_hz,
            ch_names=stream.channel_names(),
            fname_base=stream.name,
            folder_out=str(folder),
            overwrite=True,
            resolution=np.abs(resolutions),
            unit=units,
            fmt=_FORMAT,
        )


def _micro(unit: str) -> str:
    """Return a unit as the format writes it: with the micro sign."""
    return {"uV": "µV", "μV": "µV"}.get(unit, unit)


def _append(path: Path, file: BinaryIO) -> None:
    file.write(path.read_bytes())


def _markers(stream: OpenStream, data_file: str) -> str:
    """Return the text of a marker file; each segment tells its synchronised time."""
    lines = []
    placed = defaultdict(list)
    for marker in stream.markers:
        if marker.type != NEW_SEGMENT:
            placed[marker.position].append(brainvision.format_marker(0, marker))
    for segment in stream.segments:
        when = datetime.fromtimestamp(float(stream.times.at(segment.start)), UTC)
        marker = Marker(segment.start, NEW_SEGMENT)
        placed[segment.start].insert(0, brainvision.format_marker(0, marker, when))
    for position in sorted(placed):
        lines += [line.partition("=")[2] for line in placed[position]]
    body = "".join(f"Mk{number}={line}" for number, line in enumerate(lines, start=1))
    return brainvision.format_marker_head(data_file) + body
