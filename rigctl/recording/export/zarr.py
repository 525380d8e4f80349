"""Zarr v3, with a CRC-32C of every chunk inside the shards.

From: `export.source`.  To: a `.zarr` folder.

    attributes          what the session says: reference, rig, clock with its offsets, window, ...
    events/             time, json
    <stream>/
        attributes      rate, channels with units and resolutions, gaps
        samples         (samples, *frame shape), as recorded
        times           (samples), seconds since 1970 on the synchronised clock
        markers/        position, time, points, channel, type, description

Chunks have about a megabyte, and up to 32 of them are a shard, which is one file and is written at
once. They are compressed with zstd and end in their checksum: a flipped bit is an error to readers.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rigctl.errors import RecordingError
from rigctl.recording.export.source import Advance, Source, event_text
from rigctl.recording.extras import library
from rigctl.recording.opened_stream import OpenStream

_CHUNK_BYTES = 1 << 20
_SHARD_BYTES = 32 << 20
_DIMENSIONS = ("time", "channel")


def check(stream: OpenStream) -> None:
    """Raise unless the format can hold a stream: it holds them all, but has names of its own.

    Raises:
        RecordingError: its name is taken.
    """
    if stream.name == "events":
        raise RecordingError("a stream called events would stand in the place of the events")


def write(source: Source, target: Path, advance: Advance) -> None:
    """Write streams, their markers and the events into one group.

    Raises:
        RecordingError: the library is too old.
    """
    zarr = library("zarr", "zarr")
    if int(zarr.__version__.partition(".")[0]) < 3:
        raise RecordingError(f"zarr {zarr.__version__} is too old: pip install 'rigctl[zarr]'")
    root = zarr.create_group(str(target), zarr_format=3, attributes=source.facts())
    for stream in source.streams:
        _write_stream(root, stream, advance)
    happened = list(source.events())
    if happened:
        _write_table(
            root.create_group("events"),
            time=np.array([at for at, _ in happened], "<f8"),
            json=np.array([event_text(event) for _, event in happened], object),
        )


def _write_stream(root: Any, stream: OpenStream, advance: Advance) -> None:
    info, rate_hz = stream.info, stream.info.rate_hz
    group = root.create_group(
        stream.name,
        attributes={
            "rate_hz": float(rate_hz),
            "rate_hz_exact": f"{rate_hz.numerator}/{rate_hz.denominator}",
            "channels": msgspec.to_builtins(info.channels),
            "gaps": [
                {"position": gap.position, "filled": gap.filled, "missing": gap.missing}
                for gap in stream.gaps
            ],
        },
    )
    is_flat = len(info.shape) == 1
    samples = _create(
        group, "samples", (len(stream), *info.shape), info.numpy_dtype, is_flat=is_flat
    )
    for part in _shards(samples):
        piece = stream.samples[part]
        samples[part] = piece
        advance(piece.nbytes)
    times = _create(group, "times", (len(stream),), np.dtype("<f8"), is_flat=True)
    for part in _shards(times):
        times[part] = stream.times[part]
    if stream.markers:
        _write_markers(group.create_group("markers"), stream)


def _create(
    group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], *, is_flat: bool
) -> Any:
    """Create an array whose shards are written at once."""
    row = max(1, int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize)
    rows = max(1, min(shape[0], _CHUNK_BYTES // row))
    chunks = (rows, *shape[1:])
    fitting = max(1, _SHARD_BYTES // (rows * row))
    needed = -(-shape[0] // rows) or 1
    names = _DIMENSIONS[: len(shape)]
    others = tuple(f"frame_{number}" for number in range(1, len(shape)))
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        shards=(rows * min(fitting, needed), *shape[1:]),
        compressors=_compressors(),
        dimension_names=names if is_flat else ("time", *others),
    )


def _compressors() -> list[Any]:
    codecs = library("zarr.codecs", "zarr")
    return [codecs.ZstdCodec(level=1), codecs.Crc32cCodec()]


def _shards(array: Any) -> Iterator[slice]:
    for start in range(0, array.shape[0], array.shards[0]):
        yield slice(start, min(start + array.shards[0], array.shape[0]))


def _write_markers(group: Any, stream: OpenStream) -> None:
    positions = np.array([marker.position for marker in stream.markers], "<i8")
    _write_table(
        group,
        position=positions,
        time=stream.times.at(positions),
        points=np.array([marker.points for marker in stream.markers], "<i8"),
        channel=np.array([marker.channel for marker in stream.markers], "<i8"),
        type=np.array([marker.type for marker in stream.markers], object),
        description=np.array([marker.description for marker in stream.markers], object),
    )


def _write_table(group: Any, **columns: Any) -> None:
    for name, values in columns.items():
        dtype = "str" if values.dtype == object else values.dtype
        array = group.create_array(
            name,
            shape=values.shape,
            dtype=dtype,
            chunks=values.shape,
            compressors=_compressors(),
            dimension_names=("entry",),
        )
        array[:] = values
