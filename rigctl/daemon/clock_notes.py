"""What controllers say of this rig's clock, kept with the session.

From: commands and questions, under the key ``clock`` of their data.  To: `daemon.recording`.
"""

import math
import time
from collections.abc import Callable

from rigctl.messages import Json
from rigctl.net.clock import RigClock
from rigctl.recording.session import ClockOffset

_EVERY_S = 10.0
"""How often what comes with questions is kept; they are asked several times a second."""

_MOST = 1e12
_MOST_CHARACTERS = 100


class ClockNotes:
    """Hands clock samples on, those of questions at a bounded rate.

    Args:
        clock: the rig's own.
        keep: is handed each sample.
    """

    def __init__(self, clock: RigClock, keep: Callable[[ClockOffset], None]) -> None:
        self._clock = clock
        self._keep = keep
        self._kept_s = -math.inf

    def command(self, data: Json) -> None:
        """A command came with this data."""
        if offset := self._read(data):
            self._kept_s = time.monotonic()
            self._keep(offset)

    def question(self, data: Json) -> None:
        """A question came with this data."""
        if time.monotonic() - self._kept_s >= _EVERY_S:
            self.command(data)

    def _read(self, data: Json) -> ClockOffset | None:
        """Return the sample in a message's data; None where there is none that makes sense."""
        sample = data.get("clock") if isinstance(data, dict) else None
        if not isinstance(sample, dict):
            return None
        offset_s, bound_s = _number(sample.get("offset_s")), _number(sample.get("bound_s"))
        reference = sample.get("reference")
        if offset_s is None or bound_s is None or bound_s < 0 or not isinstance(reference, str):
            return None
        # The sample is the rig's clock minus the reference's; the session wants what is to be
        # added to the wall clock, which may have been stepped since the rig's clock began.
        wall_s, drift_ppm = time.time(), _number(sample.get("drift_ppm"))
        return ClockOffset(
            unix_s=wall_s,
            reference=reference[:_MOST_CHARACTERS],
            offset_s=self._clock.now().clock - wall_s - offset_s,
            bound_s=bound_s,
            drift_ppm=None if drift_ppm is None else -drift_ppm,
        )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MOST:
        return None
    return float(value)
