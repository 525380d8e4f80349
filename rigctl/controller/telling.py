"""One message to some rigs, with what came of it for each: a reply or an error.

From: `controller.desk`, `controller.start`.  To: `controller.services`.
"""

from collections.abc import Iterable, Mapping

from rigctl.controller.services import Replies, Services
from rigctl.errors import RigctlError, RigsFailed, RigsTimedOut
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


def failure(
    errors: Mapping[str, Exception], note: str, replies: Replies | None = None
) -> RigctlError:
    """Return the one error that stands for all: a timeout if every one of them is."""
    timed_out = all(isinstance(error, TimeoutError) for error in errors.values())
    return (RigsTimedOut if timed_out else RigsFailed)(errors, replies, note)
