"""The clocks of one session: the rig's own, and the synchronised wall clock.

From: `session.json` (`clock`, `clock_offsets`) and the two times of every event.
To: `recording.times`, which places samples on them; `recording.opened`.

    monotonic   what arrivals and events are stamped with; seconds since the computer's start
    rig clock   the wall clock when the session was created, and from there on the monotonic one:
                it never jumps. After a restart of the computer: the wall clock when the recorder
                went on.
    synchronised    the rig clock + the measured offset to the reference's clock, linear between
                the measurements, the first and the last one's before and after them

An offset was measured against the wall clock, which somebody may have stepped meanwhile; by how
much shows in the event nearest to it, since every event has both times.  Where nobody has measured
an offset, the synchronised clock is the rig's own and no bound is known.

Times are handled as seconds since the session's creation, because those since 1970 have few digits
to spare: a quarter of a microsecond.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rigctl.recording.events import Event
from rigctl.recording.session import ClockOffset, ClockPair

Seconds = npt.NDArray[np.float64]

_STEP_S = 0.010
"""What wall and monotonic clock differ by less is the reading's doing, no step."""


@dataclass(frozen=True, slots=True)
class _Boot:
    """The time from one start of the computer to the next."""

    base_s: float
    """The rig clock minus the monotonic one."""
    pairs: list[tuple[float, float]]
    """Of each event: wall clock, and that minus the monotonic one."""


class SessionClock:
    """Turns one rig's monotonic times into those of the synchronised wall clock.

    Args:
        pair: both clocks when the session was created.
        offsets: how far the reference's clock was, whenever that was measured.
        events: the session's.
    """

    def __init__(
        self, pair: ClockPair, offsets: Iterable[ClockOffset] = (), events: Iterable[Event] = ()
    ) -> None:
        self.origin_unix_s = pair.unix_s
        """When the session was created, on the rig clock."""
        self._boots = _boots(pair, events)
        self.offsets = _of_one_reference(tuple(offsets))
        """The measurements that it goes by: those against one clock."""
        self._at_s, self._offset_s = self._corrections()

    @property
    def reference(self) -> str:
        """Whose clock it is synchronised with; empty where nobody's."""
        return self.offsets[-1].reference if self.offsets else ""

    @property
    def bound_s(self) -> float | None:
        """Within what the truth lies at any measurement; None where there is none."""
        return max((offset.bound_s for offset in self.offsets), default=None)

    @property
    def corrections(self) -> tuple[Seconds, Seconds]:
        """When offsets were measured, in seconds on the rig clock since the origin; the offsets."""
        return self._at_s, self._offset_s

    def rig_s(self, monotonic_s: Any, boot: int = 0) -> Any:
        """Return times on the rig clock, in seconds since the origin.

        Args:
            monotonic_s: a number or an array.
            boot: how often the computer had been started again.
        """
        return monotonic_s + (self._boots[boot].base_s - self.origin_unix_s)

    def synchronised_s(self, rig_s: Any) -> Any:
        """Return times on the synchronised clock, in seconds since the origin."""
        return rig_s + np.interp(rig_s, self._at_s, self._offset_s) if self.offsets else rig_s

    def unix_s(self, monotonic_s: float, near_unix_s: float | None = None) -> float:
        """Return a monotonic time on the synchronised clock, in seconds since 1970.

        Args:
            monotonic_s: the rig's `time.monotonic`, as of arrivals and events.
            near_unix_s: about when that was, in case the computer was started again meanwhile.
        """
        rig_s = self.rig_unix_s(monotonic_s, near_unix_s) - self.origin_unix_s
        return self.origin_unix_s + float(self.synchronised_s(rig_s))

    def rig_unix_s(self, monotonic_s: float, near_unix_s: float | None = None) -> float:
        """Return a monotonic time on the rig clock, in seconds since 1970; as `unix_s`."""
        boot = 0 if near_unix_s is None else self.boot_at(monotonic_s, near_unix_s)
        return self.origin_unix_s + float(self.rig_s(monotonic_s, boot))

    def boot_at(self, monotonic_s: float, unix_s: float) -> int:
        """Return which start of the computer a monotonic time counts from, by the wall clock."""
        apart = [abs(boot.base_s + monotonic_s - unix_s) for boot in self._boots]
        return apart.index(min(apart))

    def __repr__(self) -> str:
        if not self.offsets:
            return "<SessionClock: never compared with another>"
        bound_ms = (self.bound_s or 0.0) * 1e3
        return (
            f"<SessionClock: {len(self.offsets)} comparisons with {self.reference}, "
            f"within ±{bound_ms:.2f} ms>"
        )

    def _corrections(self) -> tuple[Seconds, Seconds]:
        found = {}
        for offset in self.offsets:
            step_s = self._step_s(offset.unix_s)
            found[offset.unix_s - step_s - self.origin_unix_s] = offset.offset_s + step_s
        at = sorted(found)
        return np.array(at, np.float64), np.array([found[time] for time in at], np.float64)

    def _step_s(self, unix_s: float) -> float:
        """Return by how much the wall clock had been stepped, as the nearest event shows it."""
        steps = [
            (abs(wall_s - unix_s), base_s - boot.base_s)
            for boot in self._boots
            for wall_s, base_s in boot.pairs
        ]
        step_s = min(steps, default=(0.0, 0.0))[1]
        return step_s if abs(step_s) > _STEP_S else 0.0


def _boots(pair: ClockPair, events: Iterable[Event]) -> list[_Boot]:
    """Return the starts of the computer that the recorder's events tell apart."""
    boots = [_Boot(pair.unix_s - pair.monotonic_s, [])]
    last = None
    for event in events:
        name = event.value.get("boot") if isinstance(event.value, dict) else None
        base_s = event.unix_s - event.monotonic_s
        if name and last and name != last:
            boots.append(_Boot(base_s, []))
        last = name or last
        boots[-1].pairs.append((event.unix_s, base_s))
    return boots


def _of_one_reference(offsets: Sequence[ClockOffset]) -> tuple[ClockOffset, ...]:
    """Return the measurements against the clock that was asked most often, the last one first."""
    counts = Counter(offset.reference for offset in reversed(offsets))
    chosen = [name for name, _ in counts.most_common(1)]
    return tuple(offset for offset in offsets if offset.reference in chosen)
