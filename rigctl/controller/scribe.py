"""Who keeps a lab's journal: it is opened when it is first needed.

From: `controller.desk`.  To: `controller.journal`, one `controller.entry` for each command.
"""

import logging
from collections.abc import Callable, Collection, Iterable

from rigctl.config import Lab
from rigctl.controller.entry import Entry
from rigctl.controller.goals import Goal, Noted, Standing, State, Verb, presumed
from rigctl.controller.journal import Command, Journal, journal_path
from rigctl.errors import JournalError
from rigctl.processes import ProcessId

log = logging.getLogger(__name__)


class Scribe:
    """Keeps the journal of a lab.

    Args:
        lab: whose.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._journal: Journal | None = None
        self._entry: Entry | None = None

    @property
    def told(self) -> Collection[str]:
        """The rigs that were told something of the last command."""
        return self._entry.told if self._entry else ()

    def close(self) -> None:
        """Close the journal."""
        if self._journal:
            self._journal.close()

    def state(self) -> State:
        """Return what the journal says.

        Raises:
            JournalError: it cannot be opened or read.
        """
        try:
            return self._read()
        except JournalError as error:
            advice = "mend that, or name another folder as state_dir in the lab file"
            raise JournalError(f"{error}; nothing was done: {advice}") from error

    def goal(self) -> Goal:
        """Return what the journal says is wanted; nothing where there is none that can be read."""
        if not journal_path(self._lab).exists():
            return Goal()
        try:
            return presumed(self._read()).goal
        except JournalError as error:
            log.debug("it is not known what is wanted: %s", error)
            return Goal()

    def entry(
        self, verb: Verb, goal: Callable[[Standing], Goal], rigs: Iterable[str], *, strict: bool
    ) -> Entry:
        """Return the entry of a command that is about to begin.

        Args:
            verb: the command.
            goal: what it is to lead to, from what was wanted before it.
            rigs: whom it concerns.
            strict: whether it may not be without a journal.

        Raises:
            JournalError: it must have one, and that cannot be opened or read.
        """
        state = self.state() if strict else self._state_or_none()
        _tell_of_another(state)
        before = presumed(state)
        self._entry = Entry(self._journal, Command(verb, goal(before), tuple(rigs), before))
        return self._entry

    def resumed(self, goal: Goal, rigs: Iterable[str], before: Standing) -> Entry:
        """Return the entry of a `resume`, which has found out what was wanted before it."""
        return Entry(self._journal, Command(Verb.RESUME, goal, tuple(rigs), before))

    def _state_or_none(self) -> State:
        """Return what the journal says to a command that goes on in any case."""
        try:
            return self._read()
        except JournalError as error:
            log.warning("%s; going on without it: `rigctl resume` will not know of this", error)
            self.close()
            self._journal = None
            return State()

    def _read(self) -> State:
        self._journal = self._journal or Journal.open(self._lab)
        return self._journal.state()


def is_alive(command: Noted) -> bool:
    """Whether another process is in the middle of a command."""
    process = ProcessId(command.pid, command.pid_start)
    return process != ProcessId.current() and process.is_alive()


def _tell_of_another(state: State) -> None:
    for other in filter(is_alive, state.not_ended):
        log.warning(
            "another controller, process %d, is in the middle of `rigctl %s`: what it wants gives "
            "way to this",
            other.pid,
            other.verb,
        )
