"""One command in the journal: each intent before it is sent, each outcome after.

From: `controller.telling`, `controller.desk`, `controller.resume`.  To: `controller.journal`.

What begins something is refused where it cannot be journaled; what ends something goes on.
"""

import logging
from collections.abc import Callable, Mapping

from rigctl.controller.goals import Ended
from rigctl.controller.journal import Command, Journal
from rigctl.errors import JournalError
from rigctl.messages import Json, Message

log = logging.getLogger(__name__)


class Entry:
    """What the journal holds of a command; begun with its first telling.

    Args:
        journal: where it is kept; None where there is none to be had, and that was said.
        command: what it is and what it is to lead to.
    """

    def __init__(self, journal: Journal | None, command: Command) -> None:
        self.command = command
        self.told: set[str] = set()
        """The rigs that were told something of it."""
        self._journal = journal
        self._number: int | None = None

    def begin(self) -> None:
        """Note that the command begins, before it is known whom it tells what.

        Raises:
            JournalError: it cannot be written.
        """
        if self._journal:
            self._number = self._journal.begin(self.command)

    def tell(self, messages: Mapping[str, Message], *, strict: bool) -> int | None:
        """Note what rigs are about to be told; return by what number its outcome is noted.

        Raises:
            JournalError: it cannot be written, and `strict` says that it must be.
        """
        number = None
        try:
            number = self._tell(messages)
        except JournalError as error:
            if strict:
                raise
            self._go_on_without(error)
        self.told |= messages.keys()
        return number

    def outcome(
        self, telling: int | None, replies: Mapping[str, Json], errors: Mapping[str, Exception]
    ) -> None:
        """Note what came of a telling."""
        if self._journal and telling is not None:
            journal = self._journal
            self._try(lambda: journal.outcome(telling, replies, errors))

    def undo(self) -> None:
        """Note that what it began is about to be undone."""
        journal, number = self._journal, self._number
        if journal and number is not None:
            self._try(lambda: journal.undo(number))

    def end(self, ended: Ended) -> None:
        """Note what came of it; one that never began has no end."""
        journal, number = self._journal, self._number
        if journal and number is not None:
            self._try(lambda: journal.end(number, ended))

    def _tell(self, messages: Mapping[str, Message]) -> int | None:
        if self._journal is None:
            return None
        if self._number is not None:
            return self._journal.tell(self._number, messages)
        self._number, telling = self._journal.begin_telling(self.command, messages)
        return telling

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except JournalError as error:
            self._go_on_without(error)

    def _go_on_without(self, error: JournalError) -> None:
        """Say once that a command that may not wait is not journaled."""
        log.warning("%s; going on without it: `rigctl resume` will not know of this", error)
        self._journal = None
