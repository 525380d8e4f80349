"""Where a rig stands and what it is doing: what a daemon after this one has to know (pure).

From: `daemon.rig`, before and after each step.  To: `daemon.journal`, `daemon.comeback`.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from rigctl.daemon.command import Command
from rigctl.daemon.states import CLEANUP, INIT, START, State, after
from rigctl.messages import Event, Json


@dataclass(frozen=True, slots=True)
class Standing:
    """A rig's state and the step that is under way, with what belongs to them."""

    state: State = field(default_factory=State)
    doing: Event | None = None
    """The step under way; None between steps."""
    path: Path | None = None
    """The session's folder, from the beginning of START to the end of CLEANUP."""
    owner: str = ""
    """Which controller began it, where it said so."""
    init_data: Json = None
    """What came with INIT."""
    start_data: Json = None
    """What came with START."""
    abandon: str = ""
    """Why the session is to be set aside, while a step under way does that."""
    since_unix_s: float | None = None
    """When RUNNING was reached, or was last known to be the case, on the wall clock."""

    def reached(
        self, step: Event, command: Command, path: Path | None, unix_s: float
    ) -> "Standing":
        """Return where the rig stands once a step has succeeded.

        Args:
            step: what was done.
            command: what it was done for.
            path: the session's folder now.
            unix_s: the time.
        """
        if step is CLEANUP:
            return Standing()
        standing = replace(self, state=after(self.state, step, command.exp_ref), path=path)
        if step is INIT:
            return replace(standing, init_data=command.data)
        if step is START:
            return replace(standing, start_data=command.data, since_unix_s=unix_s)
        return standing
