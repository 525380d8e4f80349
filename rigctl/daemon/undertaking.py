"""What may be ended before its time: one thing at a time, in a task of its own.

From: `daemon.rig`, which begins it.  To: the same, whose interrupts end it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from rigctl.errors import Refused


class Undertaking:
    """Carries out one thing at a time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether something is carried out."""
        return self._task is not None

    def end(self) -> bool:
        """End what is carried out; return whether anything was."""
        return self._task is not None and self._task.cancel()

    async def carry(self, name: str, doing: Coroutine[Any, Any, Any]) -> Any:
        """Carry something out in a task of its own, which `end` can end.

        Raises:
            Refused: it was ended.
        """
        self._task = asyncio.create_task(doing, name=name)
        try:
            await asyncio.wait([self._task])
            if self._task.cancelled():
                raise Refused(f"{name} was interrupted")
            return self._task.result()
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            raise
        finally:
            self._task = None
