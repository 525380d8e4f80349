"""Messages to some rigs, with what came of it for each: a reply or an error.

From: `controller.desk`, `controller.start`.  To: `controller.services`.
"""

from collections.abc import Iterable

from rigctl.controller.fanout import Messages
from rigctl.controller.services import Replies, Services
from rigctl.errors import RigsFailed

Errors = dict[str, Exception]
"""Each failing rig's error, by its name."""


class Telling:
    """Tells rigs what one command means for each.

    Args:
        services: the way to them.
    """

    def __init__(self, services: Services) -> None:
        self.services = services

    async def tell(
        self, messages: Messages, names: Iterable[str], *, lead_s: float = 0.0
    ) -> tuple[Replies, Errors]:
        """Tell rigs; return the replies of some and the errors of the others.

        Args:
            messages: the same for all, or each rig's own.
            names: which rigs, in the order in which they are told.
            lead_s: how far ahead what they are told to do lies; they reply after it.
        """
        names = list(names)
        if not names:
            return {}, {}
        within_s = self.services.timeout + lead_s if self.services.timeout else None
        try:
            return await self.services.tell(messages, names=names, timeout=within_s), {}
        except RigsFailed as error:
            return error.replies, error.errors
