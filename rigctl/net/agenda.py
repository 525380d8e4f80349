"""What is due next, found without looking at everything that waits (pure).

From: `net.numbered`.  To: the same.
"""

import heapq
from collections.abc import Iterator

from rigctl.net.outputs import MessageId

_SLACK = 64
"""How many outdated entries are put up with before they are swept out."""


class Agenda:
    """When each message is due: a heap whose outdated entries are passed over."""

    def __init__(self) -> None:
        self._due: dict[MessageId, float] = {}
        self._heap: list[tuple[float, MessageId]] = []

    def put(self, id: MessageId, at: float) -> None:
        """Have a message due at a time, in place of any earlier one."""
        self._due[id] = at
        heapq.heappush(self._heap, (at, id))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._heap = [(when, name) for name, when in self._due.items()]
            heapq.heapify(self._heap)

    def drop(self, id: MessageId) -> None:
        """Forget a message."""
        self._due.pop(id, None)

    def next_at(self) -> float:
        """Return when the next message is due; infinity if none is."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else float("inf")

    def take(self, now: float) -> Iterator[MessageId]:
        """Yield, and forget, the messages that are due."""
        while self.next_at() <= now:
            _, id = heapq.heappop(self._heap)
            del self._due[id]
            yield id
