r"""BrainVision Core Data Format 1.0: its header and marker texts to values and back.

From: the recording's writer, and files of any program that writes the format.
To: `data.vhdr`, `data.vmrk`, and whoever replays or verifies a recording.

    .vhdr   [Common Infos]   DataFile, MarkerFile, DataOrientation, NumberOfChannels, ...
            [Binary Infos]   BinaryFormat=INT_16 | IEEE_FLOAT_32, little-endian
            [Channel Infos]  Ch<n>=<name>,<reference>,<resolution>,<unit>
    .vmrk   [Marker Infos]   Mk<n>=<type>,<description>,<position>,<points>,<channel>[,<date>]
    .eeg    frames, channel fastest, without a header

Positions and channels count from 1 in the files (channel 0: all of them), from 0 (-1) in values.
A comma in a text is written as ``\1``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rigctl.blocks import Channel, Marker, StreamInfo
from rigctl.errors import RecordingError
from rigctl.recording.brainvision_text import (
    LINE_END,
    field,
    one_line,
    read_text,
    sections_of,
    unescaped,
)

_FORMATS = {"int16": "INT_16", "float32": "IEEE_FLOAT_32"}
_DTYPES = {name: dtype for dtype, name in _FORMATS.items()}
_US_PER_S = 1_000_000
_SUPPORTED = "supported are multiplexed, little-endian binary files of INT_16 or IEEE_FLOAT_32"
_MAX_CHANNELS = 65_536
_MARKER_FIELDS = 5
"""A line has at least these; a last line without its end that has fewer is a part of one."""

_FIRST_LINE = re.compile(r"Brain ?Vision.*\bHeader File,? Version \d", re.IGNORECASE)
_MARKER_LINE = re.compile(r"Mk\d+=(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """What a header file says."""

    data_file: str
    """The name of the samples' file, relative to the header's folder."""
    marker_file: str | None
    """The name of the markers' file, if there is one."""
    info: StreamInfo


def format_header(info: StreamInfo, data_file: str, marker_file: str) -> str:
    """Return the text of a header file.

    Raises:
        RecordingError: the format cannot hold such samples.
    """
    if not info.is_signal:
        raise RecordingError(
            f"BrainVision files hold int16 or float32 signals, not {info.dtype} of {info.shape}"
        )
    channels = "".join(
        f"Ch{number}={_channel_fields(channel)}\n"
        for number, channel in enumerate(info.channels, start=1)
    )
    return (
        "Brain Vision Data Exchange Header File Version 1.0\n\n"
        "[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={one_line(data_file)}\nMarkerFile={one_line(marker_file)}\n"
        "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(info.channels)}\n"
        f"; microseconds\nSamplingInterval={format_interval_us(info.rate_hz)}\n\n"
        f"[Binary Infos]\nBinaryFormat={_FORMATS[info.dtype]}\n\n"
        "[Channel Infos]\n; Ch<number>=<name>,<reference>,<resolution in unit>,<unit>\n"
        f"{channels}"
    )


def format_interval_us(rate_hz: Fraction) -> str:
    """Return the shortest decimal of the sampling interval in µs that keeps the rate.

    Exact where a decimal can be; else the rate comes back as the same double.
    """
    interval = _US_PER_S / rate_hz
    if interval.denominator == 1:
        return str(interval.numerator)
    for digits in range(1, 18):
        text = format(Decimal(f"{float(interval):.{digits}g}"), "f")
        if float(_US_PER_S / Fraction(text)) == float(rate_hz):
            return text
    return format(Decimal(repr(float(interval))), "f")


def parse_header(text: str) -> Header:
    """Read the text of a header file.

    Raises:
        RecordingError: it is not such a file, or holds samples of a kind that is not supported.
    """
    if not _FIRST_LINE.match(text.lstrip("\ufeff")):
        raise RecordingError("not a BrainVision header file: its first line does not say so")
    sections = sections_of(text)
    common = sections.get("common infos", {})
    info = StreamInfo(
        dtype=_dtype(common, sections.get("binary infos", {})),
        shape=(_channel_count(common),),
        rate_hz=_rate_hz(common),
        channels=_channels(sections.get("channel infos", {}), _channel_count(common)),
    )
    if not common.get("datafile"):
        raise RecordingError("it names no DataFile")
    return Header(common["datafile"], common.get("markerfile") or None, info)


def read_header(path: Path) -> Header:
    """Read a header file; ``$b`` in the names that it holds is its own name's stem.

    Raises:
        RecordingError: naming the file, as `parse_header`, or the file cannot be read.
    """
    try:
        header = parse_header(read_text(path))
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error
    marker_file = header.marker_file and header.marker_file.replace("$b", path.stem)
    data_file = header.data_file.replace("$b", path.stem)
    return replace(header, data_file=data_file, marker_file=marker_file)


def format_marker_head(data_file: str) -> str:
    """Return what a marker file begins with; lines of `format_marker` follow."""
    return (
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n"
        f"[Common Infos]\nCodepage=UTF-8\nDataFile={one_line(data_file)}\n\n"
        "[Marker Infos]\n"
        "; Mk<number>=<type>,<description>,<position>,<points>,<channel, 0: all>[,<date>]\n"
    )


def format_marker(number: int, marker: Marker, when: datetime | None = None) -> str:
    """Return one marker's line, its line end included.

    Args:
        number: counts the markers of a file from 1.
        marker: its position is absolute; before the first sample it is written as on it.
        when: the wall clock, for ``New Segment``; its zone is not written, as the format has none.
    """
    fields = [
        field(marker.type),
        field(marker.description),
        str(max(marker.position, 0) + 1),
        str(max(marker.points, 0)),
        str(max(marker.channel, -1) + 1),
    ]
    if when is not None:
        fields.append(when.strftime("%Y%m%d%H%M%S%f"))
    return f"Mk{number}={','.join(fields)}\n"


def parse_markers(text: str) -> list[Marker]:
    """Read the text of a marker file; an unfinished last line is left out.

    Raises:
        RecordingError: a line that is no marker, with its number.
    """
    lines = LINE_END.split(text)
    markers = []
    for number, line in enumerate(lines, start=1):
        match = _MARKER_LINE.match(line)
        if match is None:
            continue
        fields = match[1].split(",")
        if number == len(lines) and len(fields) < _MARKER_FIELDS:
            break  # its writer was stopped, or is still busy, in the middle of it
        try:
            markers.append(_marker(fields))
        except (ValueError, IndexError) as error:
            raise RecordingError(f"line {number} is no marker: {line[:80]!r}") from error
    return markers


def read_markers(path: Path) -> list[Marker]:
    """Read a marker file.

    Raises:
        RecordingError: naming the file, as `parse_markers`, or the file cannot be read.
    """
    try:
        return parse_markers(read_text(path))
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error


def map_samples(path: Path, header: Header) -> npt.NDArray[Any]:
    """Map a data file, read only, shape (points, channels); a torn last frame is left out.

    Args:
        path: the data file itself, such as ``header_path.with_name(header.data_file)``.
        header: what its header file says.

    Raises:
        RecordingError: the file cannot be read.
    """
    info = header.info
    try:
        points = path.stat().st_size // info.frame_bytes
        if points:
            shape = (points, *info.shape)
            return np.memmap(path, dtype=info.numpy_dtype, mode="r", shape=shape)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from error
    # The system maps no empty file.
    nothing = np.empty((0, *info.shape), info.numpy_dtype)
    nothing.flags.writeable = False
    return nothing


def _dtype(common: Mapping[str, str], binary: Mapping[str, str]) -> str:
    orientation = common.get("dataorientation", "MULTIPLEXED").upper()
    if orientation != "MULTIPLEXED":
        raise RecordingError(f"DataOrientation={orientation}: {_SUPPORTED}")
    if common.get("dataformat", "BINARY").upper() != "BINARY":
        raise RecordingError(f"DataFormat={common['dataformat']}: {_SUPPORTED}")
    if binary.get("usebigendianorder", "NO").upper() == "YES":
        raise RecordingError(f"UseBigEndianOrder=YES: {_SUPPORTED}")
    dtype = _DTYPES.get(binary.get("binaryformat", "").upper())
    if dtype is None:
        raise RecordingError(f"BinaryFormat={binary.get('binaryformat', '')}: {_SUPPORTED}")
    return dtype


def _channel_count(common: Mapping[str, str]) -> int:
    text = common.get("numberofchannels", "")
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_CHANNELS:
        raise RecordingError(f"NumberOfChannels={text}: it must lie between 1 and {_MAX_CHANNELS}")
    return int(text)


def _rate_hz(common: Mapping[str, str]) -> Fraction:
    text = common.get("samplinginterval", "")
    try:
        interval = Fraction(text)
    except (ValueError, ZeroDivisionError):
        interval = Fraction(0)
    if interval <= 0:
        raise RecordingError(f"SamplingInterval={text}: it must be a positive number of µs")
    return _US_PER_S / interval


def _channels(entries: Mapping[str, str], count: int) -> tuple[Channel, ...]:
    return tuple(_channel(number, entries.get(f"ch{number}", "")) for number in range(1, count + 1))


def _channel(number: int, entry: str) -> Channel:
    fields = [unescaped(field.strip()) for field in entry.split(",")]
    name, _reference, resolution, unit = (fields + [""] * 4)[:4]
    try:
        return Channel(name or f"Ch{number}", unit or "µV", float(resolution or 1.0))
    except ValueError as error:
        raise RecordingError(f"Ch{number}: the resolution {resolution!r} is no number") from error


def _channel_fields(channel: Channel) -> str:
    name, unit = field(channel.name).strip(), field(channel.unit).strip()
    return f"{name},,{float(channel.resolution)!r},{unit}"


def _marker(fields: list[str]) -> Marker:
    return Marker(
        type=unescaped(fields[0]),
        description=unescaped(fields[1]),
        position=int(fields[2]) - 1,
        points=int(fields[3] or 1) if len(fields) > 3 else 1,
        channel=int(fields[4] or 0) - 1 if len(fields) > 4 else -1,
    )
