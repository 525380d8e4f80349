"""What a block's number says about the blocks before it (pure).

From: `assembly`.  To: the same.

Numbers count up by one from any first value and are 32 bits wide; they are carried on past 2**32.
A jump is blocks that the server dropped for this client: TCP itself loses none.
"""

from dataclasses import dataclass
from enum import Enum, auto

_NUMBERS = 2**32


class Step(Enum):
    """How a block's number follows on the one before."""

    FIRST = auto()
    NEXT = auto()
    JUMP = auto()
    REPEAT = auto()
    FALL = auto()


@dataclass(frozen=True, slots=True)
class Numbered:
    """A block's place among the blocks of its run."""

    step: Step
    counter: int
    """Its number, carried on past 2**32."""
    lost: int = 0
    """How many blocks are missing before it."""


def number(last: int | None, block: int) -> Numbered:
    """Return the place of a block.

    Args:
        last: the counter of the block before; None at the start.
        block: the 32-bit number that this one carries.
    """
    if last is None:
        return Numbered(Step.FIRST, block)
    ahead = (block - last) % _NUMBERS
    if ahead == 0:
        return Numbered(Step.REPEAT, last)
    if ahead == 1:
        return Numbered(Step.NEXT, last + 1)
    if ahead < _NUMBERS // 2:
        return Numbered(Step.JUMP, last + ahead, lost=ahead - 1)
    return Numbered(Step.FALL, block)
