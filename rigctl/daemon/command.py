"""What a controller wants of the rig, and what it says beside the command (pure).

From: `daemon.talk`, which reads it from a message.  To: `daemon.rig`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rigctl.daemon.states import END, INTERRUPT, START
from rigctl.errors import Refused
from rigctl.messages import Event, ExpRef, Json
from rigctl.net.inputs import Now

MOST_AHEAD_S = {START: 3600.0, END: 60.0, INTERRUPT: 60.0}
"""How far ahead an instant may lie; what is further is a clock that is wrong, not a plan.

Meanwhile no other command has its turn, and of a stop that is waited for no journal knows.
"""

_MOST_CLOCK_S = 1e12
_MOST_PLANNED_S = 1e9


@dataclass(frozen=True, slots=True)
class Command:
    """What a controller wants of the rig."""

    event: Event
    """INIT, START, END, INTERRUPT or CLEANUP."""
    exp_ref: ExpRef | None = None
    """The reference that it names, if any."""
    data: Json = None
    """What else came with it."""
    within_s: float | None = None
    """How long the controller waits for the result, where it says so."""

    @property
    def facts(self) -> Mapping[str, Json]:
        """What its data says by name; empty where they are no mapping."""
        return self.data if isinstance(self.data, Mapping) else {}

    @property
    def by(self) -> str:
        """Which controller it comes from, where it says so."""
        return str(self.facts.get("by", ""))[:80]

    @property
    def abandon(self) -> str:
        """Why a session is to be set aside, if the controller rolls it back."""
        return str(self.facts.get("abandon", ""))[:500]

    @property
    def arm(self) -> bool:
        """Whether INIT is to return only when a START could be carried out at once."""
        return self.event is Event.EXPINIT and self.facts.get("arm") is True


def planned_s(command: Command) -> float | None:
    """Return for how long it is planned to record, where the controller says so.

    Raises:
        Refused: it is no duration.
    """
    planned = command.facts.get("planned_s")
    if planned is None:
        return None
    if isinstance(planned, int | float) and 0 < planned < _MOST_PLANNED_S:
        return float(planned)
    text = f"planned_s {planned!r:.40}: a planned duration is a number of seconds above 0"
    raise Refused(f"{command.event.label}: {text}")


def instant_s(command: Command, now: Now) -> float | None:
    """Return the instant at which a recording is to begin or end, on the monotonic clock.

    Args:
        command: START, END and INTERRUPT may name one, in seconds of the rig's clock.
        now: both clocks at present.

    Returns:
        The instant; None where none is named, which means now.

    Raises:
        Refused: it is no number, or lies too far ahead.
    """
    at = command.facts.get("at") if command.event in START | END | INTERRUPT else None
    if at is None:
        return None
    if isinstance(at, bool) or not isinstance(at, int | float) or not abs(at) < _MOST_CLOCK_S:
        raise Refused(
            f"{command.event.label} at {at!r:.40}: an instant is a number of seconds since 1970 "
            "on this rig's clock"
        )
    ahead_s, most_s = at - now.clock, MOST_AHEAD_S[command.event]
    if ahead_s > most_s:
        raise Refused(
            f"{command.event.label} at {at:.3f}: that is {ahead_s:.0f} s ahead of this rig's "
            f"clock, and {most_s:.0f} s are waited at the most; compare the clocks "
            "(rigctl clock)"
        )
    return now.monotonic + ahead_s
