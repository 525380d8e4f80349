"""The memory of executed commands: a repeat is answered, never run again (pure).

From: `net.numbered`.  To: the same; one memory serves all peers of a server, because a
controller that reconnects comes back from another port with the same epoch.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum

from rigctl.net.outputs import MessageId


class Seen(Enum):
    """What is known of an id."""

    NEW = "new"
    RUNNING = "running"
    """It was delivered and not yet answered."""
    ANSWERED = "answered"
    INTERRUPTED = "interrupted"
    """It was delivered to a process before us, which was killed before it had answered."""
    FORGOTTEN = "forgotten"
    """It is older than the memory reaches: it was seen, its answer is gone."""


class Memory:
    """Ids and answers per epoch, both bounded.

    Args:
        epochs: how many senders' epochs are kept; the one longest silent goes first.
        answers: how many ids are kept per epoch; the lowest go first, and stay known as seen.
    """

    def __init__(self, *, epochs: int = 64, answers: int = 512) -> None:
        self._max_epochs = epochs
        self._max_answers = answers
        self._epochs: OrderedDict[str, _Epoch] = OrderedDict()

    def meet(self, id: MessageId) -> Seen:
        """Return what is known of an id, and know it from now on."""
        epoch = self._epoch(id[0])
        seen = epoch.look_up(id[1])
        if seen is Seen.NEW:
            epoch.add(id[1], self._max_answers)
        return seen

    def store(self, id: MessageId, answer: bytes) -> None:
        """Keep the answer to a command, for its repeats."""
        self._epoch(id[0]).store(id[1], answer)

    def restore(
        self, entries: Iterable[tuple[MessageId, bytes | None]], floors: Iterable[MessageId] = ()
    ) -> None:
        """Take over what a process before us remembered.

        Args:
            entries: commands with their answers, oldest first; None where none was given.
            floors: for some epochs, up to which number all count as seen.
        """
        for name, seq in floors:
            self._epoch(name).floor = seq
        for (name, seq), answer in entries:
            epoch = self._epoch(name)
            epoch.add(seq, self._max_answers)
            if answer is None:
                epoch.interrupted.add(seq)
            else:
                epoch.store(seq, answer)

    def answer(self, id: MessageId) -> bytes | None:
        """Return the stored answer to a command."""
        return self._epoch(id[0]).answers.get(id[1])

    def _epoch(self, name: str) -> "_Epoch":
        epoch = self._epochs.setdefault(name, _Epoch())
        self._epochs.move_to_end(name)
        if len(self._epochs) > self._max_epochs:
            self._epochs.popitem(last=False)
        return epoch


class _Epoch:
    """The ids of one epoch: all up to `floor` count as seen, above it by name."""

    def __init__(self) -> None:
        self.floor = 0
        self.answers: dict[int, bytes | None] = {}
        self.interrupted: set[int] = set()
        self._lowest: list[int] = []

    def look_up(self, seq: int) -> Seen:
        if seq in self.interrupted:
            return Seen.INTERRUPTED
        if seq in self.answers:
            return Seen.RUNNING if self.answers[seq] is None else Seen.ANSWERED
        return Seen.FORGOTTEN if seq <= self.floor else Seen.NEW

    def add(self, seq: int, most: int) -> None:
        self.store(seq, None)
        while len(self._lowest) > most:
            lowest = heapq.heappop(self._lowest)
            del self.answers[lowest]
            self.interrupted.discard(lowest)
            self.floor = max(self.floor, lowest)

    def store(self, seq: int, answer: bytes | None) -> None:
        if seq not in self.answers:
            heapq.heappush(self._lowest, seq)
        self.answers[seq] = answer
