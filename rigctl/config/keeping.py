"""The keys of a rig file that say how recordings are kept: parts, pre-roll, space on disk.

From: ``roll``, ``pre_roll`` and ``disk`` of the rig file.  To: the recorder and the disk guard.
"""

import functools
from dataclasses import dataclass

import msgspec

from rigctl.config.document import Document
from rigctl.config.units import bytes_of, seconds


@dataclass(frozen=True, slots=True)
class Roll:
    """When a stream goes on in a further part; whichever comes first."""

    size_bytes: int = 16 * 10**9
    time_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """What has to be free on the disk of the data root."""

    floor_bytes: int = 10**9
    """A recording is ended in order when less than this stays free; 0 guards nothing at all."""
    reserve_bytes: int = 10**9
    """What is to be left beside the floor once the planned duration is recorded."""
    duration_s: float = 3600.0
    """The planned duration, where nobody says another one at the start."""


class RollKeys(msgspec.Struct, forbid_unknown_fields=True):
    """``roll`` as it stands in the file."""

    size: int | str = "16GB"
    time: float | str = "1h"


class DiskKeys(msgspec.Struct, forbid_unknown_fields=True):
    """``disk`` as it stands in the file."""

    floor: int | str = "1GB"
    reserve: int | str = "1GB"
    duration: float | str = "1h"


def roll_in(document: Document, keys: RollKeys) -> Roll:
    """Return when to roll.

    Raises:
        ConfigError: a size or a time is none.
    """
    return Roll(
        document.check(("roll", "size"), functools.partial(bytes_of, least=1), keys.size),
        document.check(("roll", "time"), seconds, keys.time),
    )


def disk_in(document: Document, keys: DiskKeys) -> DiskLimits:
    """Return what has to be free.

    Raises:
        ConfigError: a size or a time is none.
    """
    return DiskLimits(
        document.check(("disk", "floor"), bytes_of, keys.floor),
        document.check(("disk", "reserve"), bytes_of, keys.reserve),
        document.check(("disk", "duration"), seconds, keys.duration),
    )


def pre_roll_in(document: Document, value: float | str) -> float:
    """Return for how long before START's instant a recording begins, in seconds; 0 is allowed.

    Raises:
        ConfigError: it is no duration.
    """
    return 0.0 if value in (0, "0", "0s") else document.check(("pre_roll",), seconds, value)
