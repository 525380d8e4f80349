"""Whose turn it is: commands one after the other, interrupts before all that came earlier.

From: `daemon.rig`.  To: the same.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from rigctl.errors import Refused


class Turns:
    """Lets one command through at a time.

    A command takes a place when it arrives; an interrupt makes all places taken before it void,
    also of commands that still wait.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._interrupts = 0
        self._closed = False
        self._due_s = float("inf")

    @property
    def overdue_s(self) -> float:
        """For how long whoever has the turn has it beyond the time in which it was to answer."""
        return max(time.monotonic() - self._due_s, 0.0)

    def check_due(self, most_s: float) -> None:
        """Check that nobody keeps the turn for longer than anything can take.

        Args:
            most_s: how much later than its answer was due that is.

        Raises:
            Refused: somebody does, and others wait.
        """
        if (overdue_s := self.overdue_s) > most_s:
            raise Refused(f"a command is {overdue_s:.0f} s late, and others wait for their turn")

    def place(self) -> int:
        """Take a place."""
        return self._interrupts

    def interrupt(self) -> int:
        """Make all earlier places void, and take one after them."""
        self._interrupts += 1
        return self._interrupts

    def close(self) -> None:
        """Let nobody through any more."""
        self._closed = True

    @contextlib.asynccontextmanager
    async def turn(
        self, place: int, label: str, within_s: float | None = None
    ) -> AsyncIterator[None]:
        """Wait for one's turn and have it.

        Args:
            place: as taken.
            label: whose turn it is, for people.
            within_s: in what time its sender waits for the answer, where that is known.

        Raises:
            Refused: an interrupt came meanwhile, or the daemon is being stopped.
        """
        async with self._lock:
            if self._closed:
                raise Refused("the daemon is being stopped")
            self.check(place, label)
            self._due_s = time.monotonic() + (within_s or 0.0)
            try:
                yield
            finally:
                self._due_s = float("inf")

    def check(self, place: int, label: str) -> None:
        """Raise if a place is void.

        Raises:
            Refused: an interrupt came meanwhile.
        """
        if place < self._interrupts:
            raise Refused(f"{label} was interrupted")

    async def last(self) -> None:
        """Wait until whoever has the turn has had it."""
        async with self._lock:
            pass
