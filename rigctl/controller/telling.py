"""One message to some rigs, with what came of it for each: a reply or an error.

From: `controller.desk`, `controller.start`.  To: `controller.services`.
"""

from collections.abc import Iterable

from rigctl.controller.services import Replies, Services
from rigctl.errors import RigsFailed
from rigctl.messages import Message

Errors = dict[str, Exception]
"""Each failing rig's error, by its name."""


async def tell(
    services: Services, message: Message, names: Iterable[str], *, reverse: bool = False
) -> tuple[Replies, Errors]:
    """Send a message to rigs; return the replies of some and the errors of the others."""
    names = list(names)
    if not names:
        return {}, {}
    try:
        return await services.tell(message, names=names, reverse=reverse), {}
    except RigsFailed as error:
        return error.replies, error.errors
