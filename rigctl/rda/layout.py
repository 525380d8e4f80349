"""What START and INFO say becomes the layout of a stream, and the way back (pure).

From: `assembly`, which reads; `server`, which is given a layout.  To: the same.
"""

from fractions import Fraction

from rigctl.blocks import Channel, StreamInfo
from rigctl.rda.messages import Info, Start

_US_PER_S = 1_000_000
_DEFAULT_UNIT = Channel("").unit
_DENOMINATORS = (1, 10, 100, 1001, 10_000, 1_000_000)
_RELATIVE_TOLERANCE = 1e-7


def exact_rate(rate_hz: float) -> Fraction:
    """Return the simplest fraction that a rounded rate means: 29.97002997 is 30000/1001.

    No amplifier's clock keeps its nominal rate to the tolerance of 0.1 ppm: nothing is lost.
    """
    exact = Fraction(rate_hz)
    for largest in _DENOMINATORS:
        simple = exact.limit_denominator(largest)
        if abs(simple - exact) <= exact * Fraction(_RELATIVE_TOLERANCE):
            return simple
    return exact


def rate_of(interval_us: float) -> Fraction:
    """Return the rate in Hz that belongs to a sampling interval."""
    return exact_rate(_US_PER_S / interval_us)


def layout(start: Start, info: Info | None, dtype: str) -> StreamInfo:
    """Return the layout that these messages describe, for data of this type."""
    units = units_for(start, info)
    channels = zip(start.names, units, start.resolutions, strict=True)
    return StreamInfo(
        dtype=dtype,
        shape=(len(start.names),),
        rate_hz=rate_of(start.interval_us),
        channels=tuple(Channel(name, unit, resolution) for name, unit, resolution in channels),
    )


def units_for(start: Start, info: Info | None) -> tuple[str, ...]:
    """Return a unit per channel: INFO's where it speaks of as many channels, else µV."""
    count = len(start.names)
    stated = info.units if info is not None and len(info.units) == count else ("",) * count
    return tuple(unit.strip() or _DEFAULT_UNIT for unit in stated)


def start_of(info: StreamInfo) -> Start:
    """Return the START message that announces a layout."""
    return Start(
        interval_us=_interval_us(info),
        resolutions=tuple(channel.resolution for channel in info.channels),
        names=tuple(channel.name for channel in info.channels),
    )


def info_of(info: StreamInfo, version: float = 1.0) -> Info:
    """Return the INFO message that goes with a layout."""
    start = start_of(info)
    units = tuple(channel.unit for channel in info.channels)
    return Info(version, start.interval_us, start.resolutions, start.names, units)


def _interval_us(info: StreamInfo) -> float:
    return float(_US_PER_S / info.rate_hz)
