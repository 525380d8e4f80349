"""The samples and times of an NWB series, handed over piece by piece.

From: `recording.opened_stream`.  To: `export.nwb`.

One series holds one unit: the channels in volts of whatever size are one, those of another unit
and resolution one each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rigctl.blocks import Channel
from rigctl.recording.export.source import Advance
from rigctl.recording.extras import library
from rigctl.recording.opened_stream import OpenStream
from rigctl.recording.to_mne import volts

_CHUNK_BYTES = 1 << 20
_CHUNKS_AT_ONCE = 8
_SMALL = 1 << 16


@dataclass(frozen=True, eq=False)
class Columns:
    """Some channels of a stream, or all of its frames."""

    name: str
    stream: OpenStream
    chosen: Sequence[int] | None = None
    """Which channels; None for all."""
    channels: tuple[Channel, ...] = ()

    @property
    def is_image(self) -> bool:
        """Whether frames are pictures: rows, columns, and perhaps three or four colours."""
        shape = self.stream.info.shape
        return len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))

    @property
    def unit(self) -> str | None:
        """The unit of the first channel; None where there are none."""
        return self.channels[0].unit if self.channels else None

    @property
    def units(self) -> list[str]:
        """The channels' units."""
        return [channel.unit for channel in self.channels]

    @property
    def names(self) -> list[str]:
        """The channels' names."""
        return [channel.name for channel in self.channels]

    @property
    def resolutions(self) -> list[float]:
        """By what values are multiplied to come to the unit."""
        return [float(channel.resolution) for channel in self.channels] or [1.0]


def columns_of(stream: OpenStream) -> list[Columns]:
    """Return the series that a stream becomes."""
    channels = stream.channels
    kinds = [_kind(channel) for channel in channels]
    if len(set(kinds)) < 2:
        return [Columns(stream.name, stream, None, channels)]
    found = []
    for number, kind in enumerate(dict.fromkeys(kinds)):
        chosen = [place for place, one in enumerate(kinds) if one == kind]
        name = stream.name if not number else f"{stream.name}_{number + 1}"
        found.append(Columns(name, stream, chosen, tuple(channels[place] for place in chosen)))
    return found


def _kind(channel: Channel) -> tuple[str, float]:
    return ("V", 1.0) if volts(channel.unit) else (channel.unit, channel.resolution)


def series_data(columns: Columns, advance: Advance) -> Any:
    """Return the samples for a file, read while it is written."""
    stream, chosen = columns.stream, columns.chosen
    samples = stream.samples

    def read(selection: tuple[slice, ...]) -> Any:
        time, *others = selection
        piece = np.asarray(samples[time])
        advance(piece.nbytes if chosen is None or 0 in chosen else 0)
        return (piece if chosen is None else piece[:, list(chosen)])[:, *others]

    shape = stream.info.shape if chosen is None else (len(chosen),)
    return _lazy((len(stream), *shape), stream.info.numpy_dtype, read)


def timing(stream: OpenStream, start_s: float) -> dict[str, Any]:
    """Return the rate and the first sample's time, or where that would be wrong all times.

    Args:
        stream: with one sample at least.
        start_s: what times count from, since the origin of the stream's.
    """
    times, rate_hz = stream.times, stream.rate_hz
    if times.strays_s(rate_hz) <= 0.5 / rate_hz:
        return {"rate": rate_hz, "starting_time": float(times.since_origin(0)) - start_s}

    def read(selection: tuple[slice, ...]) -> Any:
        return times.since_origin(np.arange(*selection[0].indices(len(times)))) - start_s

    return {"timestamps": _lazy((len(times),), np.dtype("<f8"), read)}


def _lazy(
    shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[tuple[slice, ...]], Any]
) -> Any:
    """Return data that HDF5 asks for a piece at a time, compressed and with checksums."""
    base: Any = library("hdmf.data_utils", "nwb").GenericDataChunkIterator

    class Pieces(base):  # type: ignore[misc]  # its base is there only now
        """Reads what is asked for."""

        def _get_data(self, selection: tuple[slice, ...]) -> Any:
            return read(selection)

        def _get_maxshape(self) -> tuple[int, ...]:
            return shape

        def _get_dtype(self) -> Any:
            return dtype

    row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
    rows = max(1, min(shape[0], _CHUNK_BYTES // max(1, row)))
    at_once = min(shape[0], rows * _CHUNKS_AT_ONCE)
    pieces = Pieces(chunk_shape=(rows, *shape[1:]), buffer_shape=(at_once, *shape[1:]))
    backends = library("hdmf.backends.hdf5.h5_utils", "nwb")
    return backends.H5DataIO(
        pieces, compression="gzip", compression_opts=1, shuffle=True, fletcher32=True
    )
