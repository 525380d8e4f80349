"""A message that waits for an answer, as a server hands it on.

From: `net.communicator`.  To: the daemon.
"""

from dataclasses import dataclass

from rigctl.messages import Message
from rigctl.net.outputs import MessageId
from rigctl.net.transport import PeerAddress


@dataclass(frozen=True, slots=True)
class Request:
    """A message that a peer sent to a server, waiting to be answered."""

    message: Message
    addr: PeerAddress
    id: MessageId | None
    within_s: float | None
    """How long the peer waits for the answer, where it says so."""
