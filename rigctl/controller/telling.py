"""Messages to some rigs, with what came of it for each: a reply or an error.

From: `controller.desk`, `controller.start`, `controller.stopping`.
To: `controller.services`; the journal, before and after.
"""

from collections.abc import Iterable

from rigctl.controller.entry import Entry
from rigctl.controller.fanout import Messages, message_for
from rigctl.controller.services import Replies, Services
from rigctl.errors import RigsFailed
from rigctl.messages import Message

Errors = dict[str, Exception]
"""Each failing rig's error, by its name."""


class Telling:
    """Tells rigs what one command means for each.

    Args:
        services: the way to them.
        entry: where it is journaled; questions, which change nothing, are not.
    """

    def __init__(self, services: Services, entry: Entry | None = None) -> None:
        self.services = services
        self.entry = entry

    async def tell(
        self,
        messages: Messages,
        names: Iterable[str],
        *,
        lead_s: float = 0.0,
        strict: bool = False,
    ) -> tuple[Replies, Errors]:
        """Tell rigs; return the replies of some and the errors of the others.

        Args:
            messages: the same for all, or each rig's own.
            names: which rigs, in the order in which they are told.
            lead_s: how far ahead what they are told to do lies; they reply after it.
            strict: whether nothing may be sent that cannot be journaled.

        Raises:
            JournalError: it cannot be, and nothing was sent.
        """
        own = {name: message_for(messages, name) for name in names}
        if not own:
            return {}, {}
        number = self.entry.tell(own, strict=strict) if self.entry else None
        replies, errors = await self._send(own, lead_s)
        if self.entry:
            self.entry.outcome(number, replies, errors)
        return replies, errors

    async def _send(self, own: dict[str, Message], lead_s: float) -> tuple[Replies, Errors]:
        within_s = self.services.timeout + lead_s if self.services.timeout else None
        try:
            return await self.services.tell(own, names=list(own), timeout=within_s), {}
        except RigsFailed as error:
            return error.replies, error.errors
