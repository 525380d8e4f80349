"""What servers, networks and damaged memory do to RDA, one named fault each (pure).

From: `simulator`, which asks before every block what to send.  To: the same.

A fault is a few steps that take the place of as many blocks, again and again with usual blocks
between; or something wrong that every other client is greeted with. Bytes are put together here by
hand, since an encoder refuses to make most of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from rigctl.blocks import Marker, Samples
from rigctl.rda.encode import encode
from rigctl.rda.messages import Data, Start

EVERY_BLOCKS = 50
"""A fault begins once in so many blocks."""
FIRST_BLOCK = 5
"""So many blocks after the beginning, it begins for the first time."""


class Deed(Enum):
    """What a server does other than sending bytes."""

    CLOSE = auto()
    """It ends the connection in order."""
    RESET = auto()
    """It ends the connection with a reset, as when its computer restarts."""
    FALL_SILENT = auto()
    """It sends nothing any more, and keeps the connection."""


@dataclass(frozen=True, slots=True)
class Trickle:
    """Bytes that come one by one, ten a second, and nothing behind them."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Fragments:
    """Bytes that are sent one by one, as fast as they are taken."""

    raw: bytes


Act = bytes | Deed | Trickle | Fragments


@dataclass(frozen=True, slots=True)
class Moment:
    """What would be sent if nothing went wrong."""

    block: int
    """The block's number."""
    samples: Samples
    markers: tuple[Marker, ...]
    start: Start
    """What was announced."""

    @property
    def usual(self) -> bytes:
        """The block's message."""
        return encode(Data(self.block, self.samples, self.markers))


Step = Callable[[Moment], list[Act]]
"""What is sent in the place of one block."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    does: str
    """What the server does, for people."""
    steps: tuple[Step, ...] = ()
    """What takes the place of blocks, one by one."""
    greeting: bytes | None = None
    """What every other client is greeted with, the first one included."""
    renumbers: bool = False
    """Whether blocks are numbered from 0 again with its first step."""


class Mischief:
    """Carries out a fault over the blocks of a server.

    Args:
        fault: which; None for none.
    """

    def __init__(self, fault: Fault | None) -> None:
        self._fault = fault or Fault("nothing")
        self._blocks = 0
        self._clients = 0
        self._begun_at = 0

    def greeting(self, usual: bytes) -> bytes:
        """Return what the next client is greeted with."""
        self._clients += 1
        wrong = self._fault.greeting
        return usual if wrong is None or self._clients % 2 == 0 else wrong

    def number(self, block: int) -> int:
        """Return the number that a block is sent with."""
        if self._fault.renumbers and self._turn == 0:
            self._begun_at = block
        return block - self._begun_at

    def acts(self, moment: Moment) -> list[Act] | None:
        """Return what is done in the place of the next block; None for what is usual."""
        turn = self._turn
        self._blocks += 1
        if 0 <= turn < len(self._fault.steps):
            return self._fault.steps[turn](moment)
        return None

    @property
    def _turn(self) -> int:
        return self._blocks % EVERY_BLOCKS - FIRST_BLOCK
