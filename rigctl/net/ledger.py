"""Where a rig remembers on disk which commands it has executed: the seam to its journal.

From: `net.communicator`, before a command is handed on and before its answer goes out.
To: `daemon.journal`.
"""

from typing import Protocol

from rigctl.messages import Event
from rigctl.net.outputs import MessageId

EFFECTS = Event.EXPINIT | Event.EXPSTART | Event.EXPEND | Event.EXPCLEANUP | Event.EXPINTERRUPT
"""The events that change something, and are remembered; questions may well be asked twice."""

BEGINNINGS = Event.EXPINIT | Event.EXPSTART
"""Those of them that begin something: they are carried out only if they can be remembered."""


class Ledger(Protocol):
    """Remembers commands by id, beyond the life of its process."""

    def begun(self, id: MessageId, event: Event) -> None:
        """A command is about to be handed on for execution, once.

        Raises:
            JournalError: it cannot be remembered; a command that begins something is then refused,
                not executed, one that ends something is remembered by this process alone.
        """

    def answered(self, id: MessageId, answer: bytes) -> None:
        """This is what came of it; kept for repeats.

        Raises:
            JournalError: it cannot be remembered; after a crash it counts as unknown.
        """
