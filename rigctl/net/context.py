"""What the conversations of one program share: who it is, its key, its memory (pure).

From: `net.station`, simulations.  To: `net.echo`, `net.numbered`.
"""

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from rigctl.net.memory import Memory
from rigctl.net.outputs import MessageId
from rigctl.net.seal import Seal
from rigctl.net.timing import Timing


@dataclass(slots=True)
class Identity:
    """Who we are to all our peers: an epoch, and the numbers given out in it."""

    epoch: str
    last_seq: int = 0

    def next_id(self) -> MessageId:
        """Give out the next id."""
        self.last_seq += 1
        return self.epoch, self.last_seq


def new_name() -> str:
    """Return the name of an epoch or a session: 64 random bits that nobody can guess."""
    return secrets.token_hex(8)


@dataclass(slots=True)
class Context:
    """What the conversations of one program share."""

    identity: Identity
    timing: Timing = field(default_factory=Timing)
    memory: Memory = field(default_factory=Memory)
    seal: Seal | None = None
    """With it nothing is sent or taken that does not bear it."""
    has_stream: bool = False
    """Whether we listen for streams on the port of our datagrams; a server's matter."""
    dice: random.Random = field(default_factory=random.Random)
    """For jitter; a simulation gives its own."""
    new_session: Callable[[], str] = new_name
