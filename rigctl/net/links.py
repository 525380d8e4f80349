"""The conversations of one communicator, by peer; bounded.

From: `net.communicator`.  To: one `net.link` per peer.
"""

from collections.abc import Callable, Iterable, Iterator

from rigctl.net.link import Link
from rigctl.net.outputs import MessageId
from rigctl.net.transport import PeerAddress

_MAX_LINKS = 1024
"""How many peers are remembered; the one longest unheard of is forgotten first."""


class Links:
    """Links by the address of their peer.

    Args:
        make: makes the link to a peer that is new.
        left: told the tickets of what was under way to one that is forgotten.
    """

    def __init__(
        self, make: Callable[[PeerAddress], Link], left: Callable[[Iterable[int]], None]
    ) -> None:
        self._make = make
        self._left = left
        self._links: dict[PeerAddress, Link] = {}

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def find(self, addr: PeerAddress) -> Link | None:
        """Return the link to a peer that is known."""
        return self._links.get(addr)

    def to(self, addr: PeerAddress) -> Link:
        """Return the link to a peer, and note that it was heard of."""
        link = self._links.pop(addr, None)
        if link is None:
            while len(self._links) >= _MAX_LINKS:
                self.drop(next(iter(self._links)))
            link = self._make(addr)
        self._links[addr] = link  # the last in the dict is the one heard of most recently
        return link

    def back_to(self, addr: PeerAddress, id: MessageId | None) -> Link:
        """Return the way back to who sent a message; it may come from another port meanwhile."""
        if id is not None and addr not in self._links:
            for link in reversed(self._links.values()):
                if link.engine.peer_epoch == id[0]:
                    return link
        return self.to(addr)

    def move(self, old: PeerAddress, new: PeerAddress) -> None:
        """A peer goes by another address now; say again what may have been lost."""
        if link := self._links.pop(old, None):
            link.addr = new
            self._links[new] = link
            link.reconnected()

    def drop(self, addr: PeerAddress) -> None:
        """Forget a peer."""
        if link := self._links.pop(addr, None):
            link.close()
            self._left(link.engine.tickets)

    def close(self) -> None:
        """Forget all peers."""
        for addr in list(self._links):
            self.drop(addr)
