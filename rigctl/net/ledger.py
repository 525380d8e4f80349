"""Where a rig remembers on disk which commands it has executed: the seam to its journal.

From: `net.communicator`, before a command is handed on and before its answer goes out.
To: `daemon.journal`.
"""

import logging
from typing import Protocol

from rigctl.errors import JournalError
from rigctl.messages import Event
from rigctl.net.outputs import MessageId

log = logging.getLogger(__name__)

EFFECTS = Event.EXPINIT | Event.EXPSTART | Event.EXPEND | Event.EXPCLEANUP | Event.EXPINTERRUPT
"""The events that change something, and are remembered; questions may well be asked twice."""


class Ledger(Protocol):
    """Remembers commands by id, beyond the life of its process."""

    def begun(self, id: MessageId, event: Event) -> None:
        """A command is about to be handed on for execution, once.

        Raises:
            JournalError: it cannot be remembered; the command is then refused, not executed.
        """

    def answered(self, id: MessageId, answer: bytes) -> None:
        """This is what came of it; kept for repeats.

        Raises:
            JournalError: it cannot be remembered; after a crash it counts as unknown.
        """


def note_begun(ledger: Ledger | None, id: MessageId | None, event: Event) -> JournalError | None:
    """Have a command with an effect remembered before it is executed; return why it cannot be."""
    if ledger is None or id is None or event not in EFFECTS:
        return None
    try:
        ledger.begun(id, event)
    except JournalError as error:
        return error
    return None


def note_answered(ledger: Ledger | None, id: MessageId, answer: bytes) -> None:
    """Have an answer remembered before it goes out; where it cannot be it goes out all the same."""
    if ledger is not None:
        try:
            ledger.answered(id, answer)
        except JournalError as error:
            log.error("should this daemon be killed, this answer will not be known: %s", error)
