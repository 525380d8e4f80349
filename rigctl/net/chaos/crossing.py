"""What the datagrams and the streams of one proxy share: the rig, its weather, what became of all.

From: `net.chaos.proxy`.  To: `net.chaos.datagrams`, `net.chaos.streams`.
"""

import asyncio
import logging
import os
from dataclasses import dataclass, field
from typing import Any

from rigctl.address import Address
from rigctl.net.weather import Direction, Forecast

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    """What became of all that went one way: packets, and pieces of streams."""

    passed: int = 0
    """Those that were let through, late or twice or damaged as the case may be."""
    lost: int = 0
    parted: int = 0
    """Those that were lost because a partition was in their way."""
    duplicated: int = 0
    held: int = 0
    """Packets that were held back, pieces that a partition stalled."""
    damaged: int = 0
    cut: int = 0
    """Pieces that never arrived because their connection was cut."""


def now_s() -> float:
    """Return the time by which fates are settled, that of the event loop."""
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class Crossing:
    """The way between whoever comes and one rig."""

    rig: Address
    family: int
    """Of the rig's address, as the socket module has it."""
    sockaddr: tuple[Any, ...]
    """The rig's address, resolved."""
    forecast: Forecast
    counts: dict[Direction, Counts] = field(
        default_factory=lambda: {direction: Counts() for direction in Direction}
    )
    _in_trouble: bool = False

    def failed(self, error: OSError) -> None:
        """The rig cannot be reached: worth one warning until it is heard again."""
        if not self._in_trouble:
            # Of asyncio's own errors the text would only repeat the address.
            why = os.strerror(error.errno) if error.errno else str(error) or "no answer"
            log.warning("nothing gets to %s: %s", self.rig, why)
        self._in_trouble = True

    def heard(self) -> None:
        """The rig has said something."""
        self._in_trouble = False
