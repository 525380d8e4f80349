"""A recording that is ended in order before the disk is full.

From: `daemon.disk`, at each look.  To: the rig, as a STOP of its own that waits its turn.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from rigctl.daemon.command import Command
from rigctl.daemon.disk import Disk
from rigctl.daemon.guard import Level
from rigctl.daemon.states import END, State
from rigctl.messages import ExpRef, Json

log = logging.getLogger(__name__)


class LastCall:
    """Ends what is recorded once the disk has no room left for it.

    Args:
        disk: knows when.
        command: carries a command out as if a controller had given it.
    """

    def __init__(self, disk: Disk, command: Callable[[Command], Awaitable[Json]]) -> None:
        self._disk = disk
        self._command = command
        self._ending: asyncio.Task[None] | None = None

    def heed(self, level: Level, state: State) -> None:
        """Begin to end what is recorded if that has to be."""
        if level is Level.STOP and self._ending is None:
            ending = self._end(state.exp_ref)
            self._ending = asyncio.create_task(ending, name="end for lack of space")

    async def close(self) -> None:
        """Return when nothing is being ended."""
        if self._ending:
            await self._ending

    async def _end(self, exp_ref: ExpRef | None) -> None:
        try:
            await self._command(Command(END, exp_ref, {"reason": self._disk.ended}))
        except (
            Exception
        ) as error:  # the lab's own hook may raise anything; it is stopped all the same
            log.error("ended for lack of space, but not in order: %s", error, exc_info=error)
        finally:
            self._ending = None
