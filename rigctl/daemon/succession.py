"""Recorder after recorder in one session: one that ends by itself is followed by another.

From: `daemon.recorder_link`, which has lost its process.  To: the same, which begins again.

The rings outlive a recorder: the next one goes on behind what is on disk, at once the first time,
then later and later.  One that is lost again and again is not followed for ever.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from rigctl.errors import RecordingError

log = logging.getLogger(__name__)

MOST = 5
"""So many are started anew within `WITHIN_S`, and no more in that session."""
WITHIN_S = 60.0
_FIRST_PAUSE_S = 0.25


class Succession:
    """Has another recorder begin when one is lost.

    Args:
        again: puts the session in order and has another recorder go on with it.
        give_up: told why no other one follows.
    """

    def __init__(
        self, again: Callable[[], Awaitable[None]], give_up: Callable[[str], None]
    ) -> None:
        self._again = again
        self._give_up = give_up
        self._lost_s: deque[float] = deque()
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        """Tasks of sessions before that are cancelled and not done yet."""

    @property
    def is_under_way(self) -> bool:
        """Whether another recorder is about to begin."""
        return self._task is not None and not self._task.done()

    def begin(self) -> None:
        """A recorder was lost; of one that was lost as it came up the task knows itself."""
        if not self.is_under_way:
            self._task = asyncio.create_task(self._run(), name="another recorder")

    def reset(self) -> None:
        """Another session begins: what was of the one before is of no account."""
        self._lost_s.clear()
        if self._task:
            self._task.cancel()
            self._ending.add(self._task)
            self._task.add_done_callback(self._ending.discard)
            self._task = None

    async def close(self) -> None:
        """Have no other recorder begin."""
        self.reset()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _run(self) -> None:
        why = ""
        while (pause_s := self._pause_s(time.monotonic())) is not None:
            await asyncio.sleep(pause_s)  # backoff between restarts
            try:
                await self._again()
                return
            except (RecordingError, OSError) as error:
                why = f": {error}"
                log.error("another recorder does not go on with the session: %s", error)
        text = f"it was lost {MOST + 1} times within {WITHIN_S:g} s and is not started again"
        self._give_up(f"{text}{why}")

    def _pause_s(self, now_s: float) -> float | None:
        """Count a loss; return how long to wait before the next recorder, None for ever."""
        while self._lost_s and now_s - self._lost_s[0] > WITHIN_S:
            self._lost_s.popleft()
        before = len(self._lost_s)
        self._lost_s.append(now_s)
        if before >= MOST:
            return None
        return _FIRST_PAUSE_S * 2 ** (before - 1) if before else 0.0
