"""Whose turn it is: commands one after the other, interrupts before all that came earlier.

From: `daemon.rig`.  To: the same.
"""

import asyncio
import contextlib
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
    async def turn(self, place: int, label: str) -> AsyncIterator[None]:
        """Wait for one's turn and have it.

        Raises:
            Refused: an interrupt came meanwhile, or the daemon is being stopped.
        """
        async with self._lock:
            if self._closed:
                raise Refused("the daemon is being stopped")
            self.check(place, label)
            yield

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
