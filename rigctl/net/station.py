"""What all communicators of one program share: who it is, its clock, what it remembers.

From: the daemon (its UDP and TCP sides are one station), a controller.  To: `net.communicator`.
"""

from dataclasses import dataclass, field
from typing import Self

from rigctl.net.clock import RigClock
from rigctl.net.context import Context, Identity, new_name
from rigctl.net.ledger import Ledger
from rigctl.net.rejections import Rejections
from rigctl.net.seal import Seal
from rigctl.net.timing import Timing


@dataclass(frozen=True, slots=True)
class Station:
    """One program, on all its sockets."""

    context: Context
    """Its epoch, and the memory of what it was told."""
    clock: RigClock = field(default_factory=RigClock)
    ledger: Ledger | None = None
    """Where executed commands are remembered beyond its life, if they are."""
    rejections: Rejections = field(default_factory=Rejections)

    @classmethod
    def new(
        cls,
        timing: Timing | None = None,
        *,
        key: bytes | None = None,
        has_stream: bool = False,
        clock: RigClock | None = None,
        ledger: Ledger | None = None,
    ) -> Self:
        """Return a station with an epoch of its own.

        Args:
            timing: deadlines and pauses.
            key: what it shares with its peers; with it nothing unauthenticated is sent or taken.
            has_stream: whether a server listens for streams on the port of its datagrams.
            clock: shared with another station of the same program.
            ledger: where executed commands are remembered beyond its life.
        """
        seal = Seal(key) if key else None
        identity = Identity(new_name())
        context = Context(identity, timing or Timing(), seal=seal, has_stream=has_stream)
        return cls(context, clock or RigClock(), ledger)
