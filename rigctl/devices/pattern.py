"""Test images: a noisy wave pattern that moves down by one row per frame (pure).

From: settings.  To: `simulated`.

    frame n, row r = base row (r - n) mod height

The base image is held twice, one above the other, so that every frame is one slice of it.
"""

from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rigctl.blocks import Marker, Samples, StreamInfo
from rigctl.rda.synthetic import Wave, as_units, periodic_markers


class PatternSource:
    """Images by their index.

    Args:
        shape: height and width.
        dtype: of a pixel.
        rate_hz: images per second.
        wave: amplitude, noise, seed and markers; a quarter of the range is the amplitude for bytes.
    """

    points: int | None = None

    def __init__(self, shape: tuple[int, int], dtype: str, rate_hz: Fraction, wave: Wave) -> None:
        self.info = StreamInfo(dtype=dtype, shape=shape, rate_hz=rate_hz)
        self._wave = wave
        height, width = shape
        rows = np.sin(2 * np.pi * np.arange(height) / height)
        columns = np.sin(2 * np.pi * np.arange(width) / width)
        noise = np.random.default_rng(wave.seed).normal(0.0, wave.noise, shape)
        values = np.multiply.outer(rows, columns) * wave.amplitude + noise
        base = as_units(values, self.info.numpy_dtype)
        # Shape (height + 1, height, width): all the frames there are, without a copy of any.
        self._frames = sliding_window_view(np.concatenate([base, base]), height, axis=0)
        self._frames = np.moveaxis(self._frames, -1, 1)

    def read(self, begin: int, points: int) -> Samples:
        """Return these images, shape (points, height, width)."""
        height = self.info.shape[0]
        offsets = -np.arange(begin, begin + points) % height
        frames: Samples = self._frames[offsets]
        return frames

    def markers(self, begin: int, points: int) -> tuple[Marker, ...]:
        """Return the markers on these images; positions count from `begin`."""
        return periodic_markers(begin, points, self._wave.marker_points(self.info.rate_hz))
