"""Durations, sizes and folders as people write them: ``60s``, ``2 min``; ``16 GB``; ``~/data``.

From: configuration files, command lines.  To: seconds, bytes, paths; and back, as people read them.
"""

import math
import re
from pathlib import Path

_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zµ]*)\s*")

_BYTES = {"b": 1, "": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*")
_MOST_BYTES = 1 << 62


def seconds(value: "str | float | int") -> float:
    """Return a duration in seconds.

    Args:
        value: a number of seconds, or text with one of the units us, ms, s, min, h.

    Raises:
        ValueError: it is no duration, or not more than 0.
    """
    number = _parse(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"a duration such as 60s, 500ms or 2min is needed, not {value!r}")
    return number


def bytes_of(value: "str | int", least: int = 0) -> int:
    """Return a size in bytes.

    Args:
        value: a number of bytes, or text with one of the units B, kB, MB, GB, TB, KiB, MiB, ...
        least: the smallest that is allowed.

    Raises:
        ValueError: it is no size, or too small.
    """
    size = _parse_bytes(value)
    if size is None or not least <= size <= _MOST_BYTES:
        raise ValueError(f"a size such as 16GB, 500 MB or 4096 is needed, not {value!r}")
    return size


def size_text(count: float) -> str:
    """Return a number of bytes for people, such as ``1.4 GB``."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= 0.9995 * scale:
            return f"{count / scale:.3g} {unit}" if count < 1e15 else f"{count / scale:.0f} {unit}"
    return f"{count:.0f} B"


def duration_text(duration_s: float) -> str:
    """Return a duration for people, such as ``1 h 30 min``; of one of days the hours."""
    if duration_s < 59.5:
        return f"{duration_s:.2g} s"
    hours, minutes = divmod(round(duration_s / 60), 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h" if hours < 2400 else f"{hours // 24} d"
    parts = ([f"{hours} h"] if hours else []) + ([f"{minutes} min"] if minutes else [])
    return " ".join(parts)


def rate_text(rate_hz: float) -> str:
    """Return samples per second for people: four digits, and no power of ten."""
    return f"{rate_hz:.4g}" if rate_hz < 1000 else f"{rate_hz:.0f}"


def folder(text: str, beside: Path) -> Path:
    """Return a folder that a file names: in the home (``~``), absolute, or relative to that file.

    Raises:
        ValueError: it can be no folder.
    """
    try:
        return (beside.parent / Path(text).expanduser()).resolve()
    except (RuntimeError, ValueError, OSError) as error:
        raise ValueError(f"{text[:80]!a} is no folder: {error}") from error


def _parse(value: "str | float | int") -> float:
    if isinstance(value, bool):
        return math.nan
    if isinstance(value, int | float):
        return float(value) if abs(value) <= 1e300 else math.inf
    match = _DURATION.fullmatch(value.lower()) if isinstance(value, str) else None
    if match is None or match[2] not in _SECONDS:
        return math.nan
    return float(match[1]) * _SECONDS[match[2]]


def _parse_bytes(value: "str | int") -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.lower()) if isinstance(value, str) else None
    if match is None or match[2] not in _BYTES:
        return None
    number = float(match[1]) * _BYTES[match[2]]
    return int(number) if math.isfinite(number) else None
