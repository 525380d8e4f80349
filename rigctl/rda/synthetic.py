"""A test signal: a wave that travels through the channels, noise, and a marker now and then.

From: settings.  To: `simulator`, `devices.simulated`. Pure: every sample follows from its index and
the seed, so that blocks of any size show the same signal.

    physical(n, c) = amplitude x sin(2 pi (frequency x n / rate + c / channels)) + noise(n, c)

The noise is the sum of two tables of prime lengths: it repeats after a million points only.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from rigctl.blocks import Channel, Marker, Samples, StreamInfo

_TABLE_POINTS = (1021, 1031)
_FINE_UV = 0.1
_MARKER_CODES = 255

_Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wave:
    """What a test signal looks like."""

    amplitude: float = 50.0
    """In µV."""
    frequency_hz: float = 10.0
    noise: float = 5.0
    """Standard deviation in µV."""
    marker_s: float = 1.0
    """From one marker to the next; 0 for none."""
    seed: int = 0

    def marker_points(self, rate_hz: Fraction) -> Fraction:
        """Return how many points lie from one marker to the next; 0.1 s means a tenth exactly."""
        return Fraction(repr(self.marker_s)) * rate_hz


def signal_layout(channels: int, rate_hz: Fraction, dtype: str) -> StreamInfo:
    """Return the layout of a test signal; integers that are wide enough get 0.1 µV a unit."""
    fine = np.issubdtype(np.dtype(dtype), np.signedinteger) and np.dtype(dtype).itemsize > 1
    resolution = _FINE_UV if fine else 1.0
    names = (f"Ch{number}" for number in range(1, channels + 1))
    return StreamInfo(
        dtype=dtype,
        shape=(channels,),
        rate_hz=rate_hz,
        channels=tuple(Channel(name, resolution=resolution) for name in names),
    )


class SyntheticSource:
    """A test signal.

    Args:
        info: the layout of a signal, such as `signal_layout` returns.
        wave: what it looks like.
        points: where it ends; None for never.
    """

    def __init__(
        self, info: StreamInfo, wave: Wave | None = None, points: int | None = None
    ) -> None:
        self.info = info
        self.points = points
        self._wave = wave or Wave()
        phases = 2 * np.pi * np.arange(info.shape[0]) / info.shape[0]
        self._shift = np.cos(phases), np.sin(phases)
        self._units = np.array([channel.resolution for channel in info.channels])
        self._noise = self._noise_tables()

    def read(self, begin: int, points: int) -> Samples:
        """Return these points, shape (points, channels), in the layout's type."""
        wave = self._wave
        cycles = np.arange(begin, begin + points) * (wave.frequency_hz / float(self.info.rate_hz))
        angles = 2 * np.pi * (cycles % 1.0)
        values = np.multiply.outer(np.sin(angles), self._shift[0])
        values += np.multiply.outer(np.cos(angles), self._shift[1])
        values *= wave.amplitude
        for table in self._noise:
            values += table.take(range(begin, begin + points), axis=0, mode="wrap")
        return as_units(values / self._units, self.info.numpy_dtype)

    def markers(self, begin: int, points: int) -> tuple[Marker, ...]:
        """Return the markers on these points: S  1 to S255, again and again."""
        return periodic_markers(begin, points, self._wave.marker_points(self.info.rate_hz))

    def _noise_tables(self) -> list[_Values]:
        if not self._wave.noise:
            return []
        random = np.random.default_rng(self._wave.seed)
        scale = self._wave.noise / sqrt(len(_TABLE_POINTS))
        return [random.normal(0.0, scale, (rows, *self.info.shape)) for rows in _TABLE_POINTS]


def as_units(values: _Values, dtype: np.dtype[Any]) -> Samples:
    """Return values as this type: integers are rounded and clipped, unsigned ones centred."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    middle = (limits.max + 1) // 2 if dtype.kind == "u" else 0
    units: Samples = np.clip(np.rint(values) + middle, limits.min, limits.max).astype(dtype)
    return units


def periodic_markers(begin: int, points: int, every: Fraction) -> tuple[Marker, ...]:
    """Return a marker at the first point that is not before each multiple of `every` points.

    Args:
        begin: the first of the points that are asked for; the first marker stands at `every`.
        points: how many are asked for; positions count from `begin`.
        every: in points, a fraction where need be; 0 for no markers.
    """
    if not every or not points:
        return ()
    # ceil(k * every) >= begin  <=>  k * every > begin - 1
    first = max((begin - 1) // every + 1, 1)
    last = (begin + points - 1) // every
    return tuple(_marker(number, ceil(number * every) - begin) for number in range(first, last + 1))


def _marker(number: int, position: int) -> Marker:
    code = (number - 1) % _MARKER_CODES + 1
    return Marker(position, "Stimulus", f"S{code:3d}")
