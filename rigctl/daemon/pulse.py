"""The rig's sign of life in its journal, and what is wrong with the journal.

From: `daemon.rig`, at each look while it runs, and the watchdog.  To: `daemon.journal`; the next
daemon learns from it until when this one lived.
"""

import logging

from rigctl.daemon.journal import Journal
from rigctl.errors import JournalError

log = logging.getLogger(__name__)

EVERY_S = 5.0
"""How often it is written, and so what is not known of the moment of a power cut."""


class Pulse:
    """Writes it, and remembers whether it could.

    Args:
        journal: where it is written.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._due_s = 0.0
        self.fault = ""
        """Why it cannot be written; empty if it can."""

    def look(self, now_s: float) -> None:
        """Write it if it is due; called twice a second."""
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self.beat()

    def beat(self) -> None:
        """Write it."""
        before, self.fault = self.fault, ""
        try:
            self._journal.live()
        except JournalError as error:
            self.fault = str(error)
        if self.fault and not before:
            log.error("%s", self.fault)
        elif before and not self.fault:
            log.warning("the journal can be written again")

    def check(self) -> None:
        """Write it.

        Raises:
            JournalError: it cannot be written.
        """
        self.beat()
        if self.fault:
            raise JournalError(self.fault)
