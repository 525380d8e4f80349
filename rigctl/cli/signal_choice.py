"""What a simulated amplifier is to play, from what the command line says.

From: the options of ``rigctl simulate rda``.  To: `cli.simulate`.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rigctl.blocks import Marker, Samples, StreamInfo
from rigctl.errors import ConfigError, RecordingError
from rigctl.rda.layout import exact_rate
from rigctl.rda.replay import ReplaySource
from rigctl.rda.source import Source
from rigctl.rda.synthetic import SyntheticSource, signal_layout
from rigctl.rda.wire import INTERVALS_US, MAX_CHANNELS

_CHANNELS = 32
_RATE_HZ = "1000"
_DTYPES = ("int16", "float32")
_US_PER_S = 1_000_000
_HIGHEST_HZ, _LOWEST_HZ = (_US_PER_S / interval for interval in INTERVALS_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The options; None where nothing was said."""

    replay: Path | None = None
    channels: int | None = None
    rate: str | None = None
    """In Hz."""
    dtype: str | None = None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The first points of a source."""

    source: Source
    points: int

    @property
    def info(self) -> StreamInfo:
        """The layout of what `read` returns."""
        return self.source.info

    def read(self, begin: int, points: int) -> Samples:
        """Return these points, as the source does."""
        return self.source.read(begin, points)

    def markers(self, begin: int, points: int) -> tuple[Marker, ...]:
        """Return the markers on these points, as the source does."""
        return self.source.markers(begin, points)


def choose(choice: Choice) -> Source:
    """Return what is to be played.

    Raises:
        ConfigError: naming the option that is wrong, or the two that exclude each other.
    """
    if choice.dtype not in (None, *_DTYPES):
        raise ConfigError("", "--dtype", f"{choice.dtype!r}: RDA sends {' or '.join(_DTYPES)}")
    return _replay(choice, choice.replay) if choice.replay else _test_signal(choice)


def beginning(source: Source, length_s: float) -> Source:
    """Return the first seconds of a source; all of it, where it is shorter."""
    points = math.ceil(length_s * float(source.info.rate_hz))
    return Excerpt(source, min(points, source.points or points))


def _replay(choice: Choice, path: Path) -> Source:
    for option in ("channels", "rate"):
        if getattr(choice, option) is not None:
            raise ConfigError("", f"--{option}", "is the recording's own: leave it or --replay out")
    try:
        return ReplaySource(path, choice.dtype)
    except RecordingError as error:
        raise ConfigError("", "--replay", str(error)) from error


def _test_signal(choice: Choice) -> Source:
    channels = _CHANNELS if choice.channels is None else choice.channels
    if not 1 <= channels <= MAX_CHANNELS:
        raise ConfigError("", "--channels", f"{channels} does not lie in 1 to {MAX_CHANNELS}")
    rate_hz = _rate_hz(_RATE_HZ if choice.rate is None else choice.rate)
    return SyntheticSource(signal_layout(channels, rate_hz, choice.dtype or "float32"))


def _rate_hz(text: str) -> Fraction:
    try:
        rate_hz = Fraction(text) if "/" in text else exact_rate(float(text))
    except (ValueError, OverflowError, ZeroDivisionError):
        rate_hz = Fraction(0)
    if not _LOWEST_HZ <= rate_hz <= _HIGHEST_HZ:
        raise ConfigError(
            *("", "--rate"),
            f"{text!r} is no rate from {_LOWEST_HZ:g} to {_HIGHEST_HZ:.0f} Hz, "
            "such as 1000 or 30000/1001",
        )
    return rate_hz
