"""The device `simulated`: a test signal or test images at an exact rate, with markers.

From: `rda.synthetic`, `devices.pattern`, the loop's clock.  To: `peers.source`.
"""

import math
import time
from collections.abc import AsyncGenerator, AsyncIterator
from fractions import Fraction
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from rigctl.blocks import Block, BlockFlags, Item, Run
from rigctl.devices.pattern import PatternSource
from rigctl.errors import ConfigError
from rigctl.rda.layout import exact_rate
from rigctl.rda.pacing import Pace
from rigctl.rda.source import Source
from rigctl.rda.synthetic import SyntheticSource, Wave, signal_layout

_MAX_BLOCK_BYTES = 256 * 2**20

Dtype = Literal["int8", "uint8", "int16", "uint16", "int32", "float32", "float64"]
Side = Annotated[int, Meta(ge=1, le=65536)]


class SimulatedDevice:
    """Yields a test signal, for ever.

    Args:
        name: the stream's name.
        settings: what the signal looks like.
    """

    class Settings(Struct, frozen=True, forbid_unknown_fields=True):
        """What the signal looks like.

        Raises:
            ConfigError: values that are possible alone, but not together.
        """

        channels: Annotated[int, Meta(ge=1, le=65536)] = 8
        rate: float | str = 1000.0
        """In Hz; a number, or a fraction such as ``30000/1001``."""
        dtype: Dtype = "float32"
        noise: Annotated[float, Meta(ge=0, le=1e9)] = 5.0
        """Standard deviation in µV."""
        frequency: Annotated[float, Meta(ge=0, le=1e9)] = 10.0
        """Of the wave, in Hz."""
        markers: Annotated[float, Meta(ge=0, le=1e9)] = 1.0
        """Seconds from one marker to the next; 0 for none."""
        seed: Annotated[int, Meta(ge=0)] = 0
        block_s: Annotated[float, Meta(gt=0, le=10)] = 0.02
        """Length of a block; one frame at least."""
        shape: tuple[Side, Side] | None = None
        """``[height, width]`` of images, instead of channels."""

        def __post_init__(self) -> None:
            if self.block_points * self.frame_bytes > _MAX_BLOCK_BYTES:
                raise ConfigError(
                    "", "block_s", f"a block takes more than {_MAX_BLOCK_BYTES} bytes"
                )
            if 0 < self.markers * self.rate_hz < 1:
                raise ConfigError("", "markers", f"{self.markers} s is less than a sample lasts")

        @property
        def rate_hz(self) -> Fraction:
            """The exact rate."""
            return _rate_hz(self.rate)

        @property
        def block_points(self) -> int:
            """How many frames a block holds."""
            return max(round(self.rate_hz * Fraction(self.block_s)), 1)

        @property
        def frame_bytes(self) -> int:
            """The size of one frame."""
            return math.prod(self.shape or (self.channels,)) * np.dtype(self.dtype).itemsize

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings

    def __aiter__(self) -> AsyncIterator[Item]:
        """Yield a run, then blocks at the exact rate; what is late is caught up with."""
        return self._items()

    async def _items(self) -> AsyncGenerator[Item, None]:
        source, points = _source(self.settings), self.settings.block_points
        yield Run(source.info)
        pace = Pace(float(source.info.rate_hz))
        flags, counter = BlockFlags.NEW_RUN, 0
        while True:
            begin = counter * points
            await pace.reach(begin + points)
            samples, markers = source.read(begin, points), source.markers(begin, points)
            yield Block(samples, counter, time.monotonic(), markers, flags)
            flags, counter = BlockFlags.NONE, counter + 1


def _source(settings: SimulatedDevice.Settings) -> Source:
    wave = Wave(
        frequency_hz=settings.frequency,
        noise=settings.noise,
        marker_s=settings.markers,
        seed=settings.seed,
    )
    if settings.shape is not None:
        return PatternSource(settings.shape, settings.dtype, settings.rate_hz, wave)
    return SyntheticSource(signal_layout(settings.channels, settings.rate_hz, settings.dtype), wave)


def _rate_hz(rate: float | str) -> Fraction:
    try:
        rate_hz = Fraction(rate) if isinstance(rate, str) else exact_rate(rate)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise ConfigError("", "rate", _rate_problem(rate)) from error
    if not 0 < rate_hz <= 10**9:
        raise ConfigError("", "rate", _rate_problem(rate))
    return rate_hz


def _rate_problem(rate: float | str) -> str:
    return f"{rate!r} is no rate in Hz; right would be a number above 0, or such as '30000/1001'"
