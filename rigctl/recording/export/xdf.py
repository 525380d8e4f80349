r"""XDF 1.0, as LabRecorder writes it and pyxdf, EEGLAB and MNELAB read it.

From: `export.source`.  To: a `.xdf` file (https://github.com/sccn/xdf/wiki/Specifications).

No library writes this format, so this does; pyxdf reads it back in the tests.

    "XDF:"  then chunks:  | bytes of length 1, 4 or 8 | length | tag u16 | content |
    1 file header      XML
    2 stream header    stream u32, XML: name, type, channels with units and resolutions
    3 samples          stream u32, count (as a length), and for each sample:
                       | 8 | time f64 | values |, a text as its length and its UTF-8
    4 clock offset     stream u32, time f64, offset f64: to be added to the stream's times
    5 boundary         16 bytes by which a damaged file can be entered again
    6 stream footer    stream u32, XML: first and last time, count

Values are as recorded, bit by bit (unsigned ones in the next wider signed type): value x resolution
is in the channel's unit. Every sample has its time, so that gaps are jumps. Times are those of the
rig's own clock (seconds since 1970, never jumping); readers add the clock offsets, as pyxdf does
unless told not to, and so come to the synchronised clock. Each stream's markers are a stream of
texts, ``<stream>-markers``; what else happened is the stream ``events``, as JSON.
"""

import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree as Xml

import numpy as np

from rigctl.errors import RecordingError
from rigctl.recording.brainvision_text import one_line
from rigctl.recording.export.source import Advance, Source, event_text, text_of
from rigctl.recording.opened_stream import OpenStream

_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK_OFFSET, _BOUNDARY, _STREAM_FOOTER = range(1, 7)
_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_FORMATS = {
    "int8": ("int8", "i1"),
    "int16": ("int16", "<i2"),
    "int32": ("int32", "<i4"),
    "int64": ("int64", "<i8"),
    "uint8": ("int16", "<i2"),
    "uint16": ("int32", "<i4"),
    "uint32": ("int64", "<i8"),
    "float16": ("float32", "<f4"),
    "float32": ("float32", "<f4"),
    "float64": ("double64", "<f8"),
}
"""By dtype: the format's name of it, and how it is written."""
_TEXTS_PER_CHUNK = 1000

_Timed = tuple[float, str]


@dataclass(frozen=True, slots=True)
class _Texts:
    """A stream of texts, each with its time on the rig clock."""

    name: str
    kind: str
    texts: Sequence[_Timed]


def check(stream: OpenStream) -> None:
    """Raise unless the format can hold a stream.

    Raises:
        RecordingError: it cannot.
    """
    stream.check_signal("an XDF file")
    if stream.info.dtype not in _FORMATS:
        raise RecordingError(
            f"stream {stream.name} is of {stream.info.dtype}: an XDF file holds none of its "
            f"values, only {', '.join(_FORMATS)}"
        )


def write(source: Source, target: Path, advance: Advance) -> None:
    """Write streams, their markers and the events into one file."""
    with target.open("xb") as file:
        file.write(b"XDF:")
        _put(file, _FILE_HEADER, _xml(_element("info", version="1.0", **_session(source))))
        numbers = itertools.count(1)
        for stream in source.streams:
            _write_signal(file, next(numbers), source, stream, advance)
        for texts in _all_texts(source):
            _write_texts(file, next(numbers), source, texts)


def _write_signal(
    file: BinaryIO, number: int, source: Source, stream: OpenStream, advance: Advance
) -> None:
    label, dtype = _FORMATS[stream.info.dtype]
    record = np.dtype([("size", "u1"), ("time", "<f8"), ("values", dtype, stream.info.shape)])
    _begin(file, number, source, _signal_header(stream, label))
    for start, samples in stream.chunks():
        block = np.empty(len(samples), record)
        block["size"] = 8
        block["time"] = stream.rig_times[start : start + len(samples)]
        block["values"] = samples
        _put(file, _SAMPLES, _id(number), _length(len(block)), block.tobytes())
        _put(file, _BOUNDARY, _UUID)
        advance(samples.nbytes)
    times = stream.rig_times
    ends = (times[0], times[-1]) if len(times) else (0.0, 0.0)
    _put(file, _STREAM_FOOTER, _id(number), _footer(ends, len(times)))


def _write_texts(file: BinaryIO, number: int, source: Source, stream: _Texts) -> None:
    info = _element("info", **_names(stream.name, stream.kind, 1, 0.0, "string"))
    _begin(file, number, source, info)
    for start in range(0, len(stream.texts), _TEXTS_PER_CHUNK):
        part = stream.texts[start : start + _TEXTS_PER_CHUNK]
        samples = b"".join(map(_text_sample, part))
        _put(file, _SAMPLES, _id(number), _length(len(part)), samples)
    _put(file, _BOUNDARY, _UUID)
    ends = (stream.texts[0][0], stream.texts[-1][0])
    _put(file, _STREAM_FOOTER, _id(number), _footer(ends, len(stream.texts)))


def _begin(file: BinaryIO, number: int, source: Source, info: Xml.Element) -> None:
    _put(file, _STREAM_HEADER, _id(number), _xml(info))
    clock = source.rig.clock
    for at_s, offset_s in zip(*clock.corrections, strict=True):
        _put(
            file,
            _CLOCK_OFFSET,
            _id(number) + struct.pack("<dd", clock.origin_unix_s + at_s, offset_s),
        )


def _all_texts(source: Source) -> Iterator[_Texts]:
    for stream in source.streams:
        timed = [
            (float(stream.rig_times.at(one.position)), text_of(one.type, one.description))
            for one in stream.markers
        ]
        if timed:
            yield _Texts(f"{stream.name}-markers", "Markers", timed)
    clock = source.rig.clock
    happened = [
        (clock.rig_unix_s(event.monotonic_s, event.unix_s), event_text(event))
        for _, event in source.events()
    ]
    if happened:
        yield _Texts("events", "Events", sorted(happened))


def _session(source: Source) -> dict[str, Any]:
    facts = source.facts()
    return {name: facts[name] for name in ("reference", "rig", "host", "state")}


def _signal_header(stream: OpenStream, label: str) -> Xml.Element:
    info = _element(
        "info", **_names(stream.name, "signal", stream.info.shape[0], stream.rate_hz, label)
    )
    channels = Xml.SubElement(Xml.SubElement(info, "desc"), "channels")
    names = stream.channel_names()
    units = [(one.unit, one.resolution) for one in stream.channels] or [("", 1.0)] * len(names)
    for name, (unit, resolution) in zip(names, units, strict=True):
        channels.append(_element("channel", label=name, unit=unit, resolution=repr(resolution)))
    return info


def _names(name: str, kind: str, channels: int, rate_hz: float, label: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "channel_count": channels,
        "nominal_srate": repr(rate_hz),
        "channel_format": label,
        "source_id": name,
    }


def _footer(ends: tuple[float, float], count: int) -> bytes:
    first, last = map(repr, map(float, ends))
    return _xml(_element("info", first_timestamp=first, last_timestamp=last, sample_count=count))


def _element(tag: str, **inside: Any) -> Xml.Element:
    element = Xml.Element(tag)
    for name, value in inside.items():
        Xml.SubElement(element, name).text = one_line(str(value))
    return element


def _xml(element: Xml.Element) -> bytes:
    return b'<?xml version="1.0"?>' + Xml.tostring(element, "unicode").encode()


def _text_sample(timed: _Timed) -> bytes:
    encoded = timed[1].encode("utf-8", errors="replace")
    return b"\x08" + struct.pack("<d", timed[0]) + _length(len(encoded)) + encoded


def _id(number: int) -> bytes:
    return struct.pack("<I", number)


def _length(count: int) -> bytes:
    """Return a length as the format writes it: how many bytes it takes, and those."""
    if count < 1 << 8:
        return struct.pack("<BB", 1, count)
    return struct.pack("<BI", 4, count) if count < 1 << 32 else struct.pack("<BQ", 8, count)


def _put(file: BinaryIO, tag: int, *content: bytes) -> None:
    """Write one chunk."""
    file.write(_length(2 + _sum(content)) + struct.pack("<H", tag))
    file.writelines(content)


def _sum(parts: Iterable[bytes]) -> int:
    return sum(map(len, parts))
