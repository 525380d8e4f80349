"""The wall clock of the rig's computer, watched for steps; the rig's own clock makes none.

From: `net.clock`, twice a second.  To: the rig's conditions, the log.
"""

import logging
from collections.abc import Callable

from rigctl.net.clock import RigClock
from rigctl.reports import Condition

log = logging.getLogger(__name__)

_LEAST_S = 0.010
_MAX_NOTES = 10
"""How many steps are told as conditions; later ones are only in the log."""


class Steps:
    """Decides what is told of a difference that is looked at again and again (pure)."""

    def __init__(self) -> None:
        self._told_s = 0.0

    def look(self, difference_s: float) -> float | None:
        """Return by how much it has changed since that was last told; None if hardly."""
        change_s = difference_s - self._told_s
        if abs(change_s) < _LEAST_S:
            return None
        self._told_s = difference_s
        return change_s


class WallWatch:
    """Tells each step of the wall clock once.

    Args:
        clock: the rig's own.
        note: is told the condition.
    """

    def __init__(self, clock: RigClock, note: Callable[[Condition], None]) -> None:
        self._clock = clock
        self._note = note
        self._steps = Steps()
        self._notes_left = _MAX_NOTES

    def look(self) -> None:
        """See whether the wall clock was stepped since the last look."""
        step_s = self._steps.look(self._clock.wall_step_s())
        if step_s is None:
            return
        text = (
            f"the wall clock of this computer was stepped by {step_s:+.3f} s, or it slept; the "
            "rig's clock goes on as it was"
        )
        log.warning("%s", text)
        if self._notes_left:
            self._notes_left -= 1
            self._note(Condition("CLOCK", "", text))
