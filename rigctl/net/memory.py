"""The memory of executed commands: a repeat is answered, never run again (pure).

From: `net.numbered`.  To: the same; one memory serves all peers of a server, because a
controller that reconnects comes back from another port with the same epoch.

It knows, too, who may speak.  Where a key is set a sender is given a session, a number that only it
and we use: what was recorded from the wire in another session is worth nothing in this one.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum

from rigctl.net.outputs import MessageId

_MAX_ANSWERS = 16_384
"""How many answers are kept of all epochs together."""


class Seen(Enum):
    """What is known of an id."""

    NEW = "new"
    RUNNING = "running"
    """It was delivered and not yet answered."""
    ANSWERED = "answered"
    INTERRUPTED = "interrupted"
    """It was delivered to a process before us, which was killed before it answered."""
    FORGOTTEN = "forgotten"
    """It is older than the memory reaches: it was seen, its answer is gone."""


class Memory:
    """Ids and answers per epoch, all bounded.

    Args:
        epochs: how many senders' epochs are kept; the one longest silent goes first.
        answers: how many ids are kept per epoch; the lowest go first, and stay known as seen.
        answer_bytes: how much all answers may have together; the oldest go first.
    """

    def __init__(
        self, *, epochs: int = 1024, answers: int = 512, answer_bytes: int = 16_000_000
    ) -> None:
        self._max_epochs = epochs
        self._max_answers = answers
        self._max_bytes = answer_bytes
        self._bytes = 0
        self._epochs: OrderedDict[str, _Epoch] = OrderedDict()
        self._granted: OrderedDict[str, str] = OrderedDict()
        self._stored: OrderedDict[MessageId, int] = OrderedDict()

    def restore(
        self, entries: Iterable[tuple[MessageId, bytes | None]], floors: Iterable[MessageId] = ()
    ) -> None:
        """Take what a process before us remembered, oldest first.

        Args:
            entries: each command's id and its answer; None if it was begun and never answered.
            floors: for some epochs, up to which number all count as seen.
        """
        for name, seq in floors:
            self._epoch(name).floor = seq
        for id, answer in entries:
            epoch = self._epoch(id[0])
            epoch.add(id[1], self._max_answers)
            if answer is None:
                epoch.interrupt(id[1])
            else:
                self.store(id, answer)

    def meet(self, id: MessageId) -> Seen:
        """Return what is known of an id, and know it from now on."""
        epoch = self._epoch(id[0])
        seen = epoch.look_up(id[1])
        if seen is Seen.NEW:
            epoch.add(id[1], self._max_answers)
        return seen

    def keep(self, id: MessageId) -> None:
        """The answer to this command is worth remembering beyond our own life."""
        self._epoch(id[0]).kept.add(id[1])

    def store(self, id: MessageId, answer: bytes) -> bool:
        """Keep the answer to a command, for its repeats; return whether `keep` was said of it."""
        epoch = self._epoch(id[0])
        kept = id[1] in epoch.kept
        epoch.kept.discard(id[1])
        epoch.store(id[1], answer)
        self._bytes += len(answer) - self._stored.pop(id, 0)
        self._stored[id] = len(answer)
        while self._bytes > self._max_bytes or len(self._stored) > _MAX_ANSWERS:
            old, size = self._stored.popitem(last=False)
            self._bytes -= size
            if old[0] in self._epochs:
                self._epochs[old[0]].forget_answer(old[1])
        return kept

    def answer(self, id: MessageId) -> bytes | None:
        """Return the stored answer to a command."""
        return self._epoch(id[0]).answers.get(id[1])

    def grant(self, name: str, session: str) -> str:
        """Return the session of a sender that has greeted us: the one that it has, or this one."""
        epoch = self._epochs.get(name)
        if epoch is not None:
            epoch.session = epoch.session or session
            return epoch.session
        # One that only greets displaces nobody who has said something.
        granted = self._granted.setdefault(name, session)
        self._granted.move_to_end(name)
        if len(self._granted) > self._max_epochs:
            self._granted.popitem(last=False)
        return granted

    def session_of(self, name: str) -> str:
        """Return the session of a sender; empty if it has none."""
        epoch = self._epochs.get(name)
        return epoch.session if epoch else self._granted.get(name, "")

    def admits(self, name: str, session: str) -> bool:
        """Whether a message of this sender belongs to the session that it was given."""
        if not session:
            return False
        if name not in self._epochs and self._granted.get(name) == session:
            self._epoch(name).session = self._granted.pop(name)
        epoch = self._epochs.get(name)
        return epoch is not None and epoch.session == session

    def _epoch(self, name: str) -> "_Epoch":
        epoch = self._epochs.get(name)
        if epoch is None:
            epoch = self._epochs[name] = _Epoch()
        self._epochs.move_to_end(name)
        if len(self._epochs) > self._max_epochs:
            idle = (n for n, e in self._epochs.items() if not e.running and n != name)
            del self._epochs[next(idle, next(iter(self._epochs)))]
        return epoch


class _Epoch:
    """The ids of one epoch: all up to `floor` count as seen, above it by name."""

    def __init__(self) -> None:
        self.session = ""
        self.floor = 0
        self.answers: dict[int, bytes | None] = {}
        self.running: set[int] = set()
        self.interrupted: set[int] = set()
        self.kept: set[int] = set()
        self._lowest: list[int] = []

    def look_up(self, seq: int) -> Seen:
        if seq in self.interrupted:
            return Seen.INTERRUPTED
        if seq not in self.answers:
            return Seen.FORGOTTEN if seq <= self.floor else Seen.NEW
        answer = self.answers[seq]
        if answer is None:
            return Seen.RUNNING
        return Seen.ANSWERED if answer else Seen.FORGOTTEN

    def add(self, seq: int, most: int) -> None:
        self.store(seq, None)
        self.running.add(seq)
        while len(self._lowest) > most:
            lowest = heapq.heappop(self._lowest)
            del self.answers[lowest]
            for group in (self.running, self.interrupted, self.kept):
                group.discard(lowest)
            self.floor = max(self.floor, lowest)

    def interrupt(self, seq: int) -> None:
        self.running.discard(seq)
        self.interrupted.add(seq)

    def store(self, seq: int, answer: bytes | None) -> None:
        if seq not in self.answers:
            heapq.heappush(self._lowest, seq)
        self.answers[seq] = answer
        self.running.discard(seq)

    def forget_answer(self, seq: int) -> None:
        if self.answers.get(seq):
            self.answers[seq] = b""
