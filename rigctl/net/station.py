"""What all communicators of one program share: who it is, its clock, what it remembers.

From: the daemon (its UDP and TCP sides are one station), a controller.  To: `net.communicator`.
"""

import secrets
from dataclasses import dataclass, field
from typing import Self

from rigctl.net.clock import RigClock
from rigctl.net.ledger import Ledger
from rigctl.net.numbered import Context, Identity
from rigctl.net.timing import Timing


@dataclass(frozen=True, slots=True)
class Station:
    """One program, on all its sockets."""

    context: Context
    """Its epoch, and the memory of what it was told."""
    clock: RigClock = field(default_factory=RigClock)
    ledger: Ledger | None = None
    """Where executed commands are remembered beyond its life, if they are."""

    @classmethod
    def new(cls, timing: Timing | None = None, ledger: Ledger | None = None) -> Self:
        """Return a station with an epoch of its own."""
        identity = Identity(secrets.token_hex(8))
        context = Context(identity, timing or Timing(), remembers=ledger is not None)
        return cls(context, ledger=ledger)
