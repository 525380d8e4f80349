"""Whether the disk has room: a budget before a recording, an absolute floor during it (pure).

From: `daemon.disk`, which measures.  To: the same, which refuses, warns and ends.

Before START what is planned must fit::

    rates x planned duration + what is reserved ahead + floor + reserve  <=  free
    rates                                                                <=  half of what is written

During the run only what is free counts, never how it changes: another program that fills and frees
the disk looks, for a while, like one that will fill it for good::

    OK    --free < floor + reserve-->            LOW     said at once, taken back
    LOW   --free >= floor + reserve + margin-->  OK      only well above it
    LOW   --free < floor for HOLD_S-->           STOP    for good

What was reserved ahead for the recording is not free any more, and is written all the same when
nothing else is left: only when that comes to its end, too, nothing is waited for.
"""

from dataclasses import dataclass
from enum import Enum

from rigctl.config.keeping import DiskLimits
from rigctl.config.units import duration_text, size_text

HOLD_S = 10.0
"""So long less than the floor is free before a recording is ended for it."""

_LOOKS_S = 2.0
"""So late a look may tell of what happened just after the one before."""

_MARGIN = 0.05
"""By which part of floor and reserve more has to be free before a warning is taken back."""

_SAFE = 0.5
"""The part of what a disk was measured to write that a recording may need."""

_ROUNDED_UP = 1.005
"""What is to be freed is shown with three digits, and must do when just that is freed."""

_FEW_MINUTES = 600
"""From here on hours are exact enough."""

_LEAST_PLAN_S = 60.0
"""A shorter recording is not worth being offered."""


class Level(Enum):
    """How it stands."""

    OK = "ok"
    LOW = "low"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Space:
    """What was found on a disk."""

    free_bytes: int
    """For whoever is not root."""
    ahead_bytes: int = 0
    """Reserved for the recording, and not written yet."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a recording brings."""

    bytes_s: float = 0.0
    ahead_bytes: float = 0.0
    """What it reserves ahead."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What is planned."""

    load: Load
    duration_s: float
    keep_bytes: int
    """What is to be left when all is recorded."""

    @property
    def need_bytes(self) -> float:
        """What the recording takes."""
        return self.load.bytes_s * self.duration_s + self.load.ahead_bytes

    def shortfall(self, space: Space, place: str) -> str:
        """Return what is wrong with the space there is, and what to do; empty if nothing."""
        free = space.free_bytes + space.ahead_bytes
        lacking = self.need_bytes + self.keep_bytes - free
        if lacking <= 0:
            return ""
        left = free - self.keep_bytes - self.load.ahead_bytes
        most_s = left / self.load.bytes_s if self.load.bytes_s else 0.0
        offer = "" if most_s < _LEAST_PLAN_S else f", or record for at most {_floored(most_s)}"
        keys = " (--for, or disk.duration in the rig file)" if offer else ""
        need, duration = size_text(self.need_bytes), duration_text(self.duration_s)
        return (
            f"the recording needs {need} for {duration} and {size_text(self.keep_bytes)} are to "
            f"stay free; {size_text(free)} are free in {place}: "
            f"free {size_text(lacking * _ROUNDED_UP)}{offer}{keys}"
        )

    def slowness(self, write_bytes_s: float, place: str) -> str:
        """Return what is wrong with a disk that writes so much a second; empty if nothing."""
        if self.load.bytes_s <= _SAFE * write_bytes_s:
            return ""
        return (
            f"the streams bring {size_text(self.load.bytes_s)}/s and {place} was measured to take "
            f"{size_text(write_bytes_s)}/s, of which half is safe: record fewer streams, or to a "
            "faster disk (data_root)"
        )


class Guard:
    """The floor during one recording.

    Args:
        limits: what has to be free; a floor of 0 ends nothing.
        ending_s: how long it may take from the decision until nothing more is written.
    """

    def __init__(self, limits: DiskLimits, ending_s: float) -> None:
        self._limits = limits
        self._ending_s = ending_s
        self._under_since_s: float | None = None
        self.level = Level.OK
        self.load = Load()
        """What the recording brings."""

    @property
    def floor_bytes(self) -> int:
        """A recording is ended when less than this stays free.

        Whatever is configured, below it there is room for what comes while it is waited and ended,
        and for the next reservation: if that fails for lack of space, what is left of the one
        before serves as long.
        """
        load, limits = self.load, self._limits
        until_ended = load.bytes_s * (HOLD_S + self._ending_s)
        own_bytes = max(until_ended, load.ahead_bytes / 2) + load.bytes_s * _LOOKS_S
        return max(limits.floor_bytes, int(own_bytes)) if limits.floor_bytes else 0

    @property
    def low_bytes(self) -> int:
        """When less than this is free, that is said."""
        return self.floor_bytes + self._limits.reserve_bytes

    def look(self, now_s: float, space: Space) -> Level:
        """Take what is free now; return how it stands."""
        if self.level is Level.STOP:
            return self.level
        if self._is_over(now_s, space):
            self.level = Level.STOP
        elif space.free_bytes < self.low_bytes:
            self.level = Level.LOW
        elif space.free_bytes >= self.low_bytes * (1 + _MARGIN):
            self.level = Level.OK
        return self.level

    def lasts_s(self, space: Space) -> float | None:
        """Return for how long it can go on if nobody else writes; None where nothing comes."""
        if not self.load.bytes_s:
            return None
        left = space.free_bytes + space.ahead_bytes - self.floor_bytes
        return max(left / self.load.bytes_s, 0.0)

    def _is_over(self, now_s: float, space: Space) -> bool:
        if space.free_bytes >= self.floor_bytes:
            self._under_since_s = None
            return False
        if self._under_since_s is None:
            self._under_since_s = now_s
        is_last = space.free_bytes + space.ahead_bytes < self.load.bytes_s * self._ending_s
        return is_last or now_s - self._under_since_s >= HOLD_S


def _floored(duration_s: float) -> str:
    """Return a duration, not more, as it can be given with ``--for``."""
    minutes = int(duration_s // 60)
    return f"{minutes} min" if minutes < _FEW_MINUTES else f"{minutes // 60} h"
