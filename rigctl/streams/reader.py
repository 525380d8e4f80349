"""The reading end of a ring.

From: a ring in shared memory, by name.  To: recorders, processing, the live view.

Nothing that a reader does is seen by the writer, except that a waiting one is woken.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from rigctl.blocks import Samples
from rigctl.errors import NotYet, Overrun, RingClosed, RingError, WriterDied
from rigctl.processes import ProcessId, ProcessWatch
from rigctl.streams import folders, lookup
from rigctl.streams.cursor import Cursor
from rigctl.streams.segment import Segment
from rigctl.streams.view import View
from rigctl.streams.wakeup import Bell


class RingReader:
    """One reader of a ring; use `attach`, one thread each, and close it (or use it as a context).

    Args:
        name: the ring's.
        folder: the ring's.
        segment: its files.
        writer: the process that writes it.
    """

    def __init__(self, name: str, folder: Path, segment: Segment, writer: ProcessId) -> None:
        plan = segment.head.plan
        self.name = name
        self.info = plan.info
        self.capacity = plan.capacity
        self._folder = folder
        self._segment = segment
        self._head = segment.head
        self._watch = ProcessWatch(writer)
        self._bell: Bell | None = None

    @classmethod
    def attach(cls, name: str) -> Self:
        """Attach to a ring, whether its writer is still there or not.

        Raises:
            RingError: there is no such ring, or it is not this user's.
        """
        folder = folders.find(name)
        segment = Segment.open(folder)
        writer = folders.writer_of(folder)
        if writer is None:
            segment.close()
            raise RingError(f"there is no ring {name!r} any more")
        return cls(name, folder, segment, writer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Stop being woken and give descriptors back; arrays that are still held stay valid."""
        if self._bell is not None:
            self._bell.close()
        self._watch.close()
        self._segment.close()

    @property
    def head(self) -> int:
        """How many samples are published: the index after the newest."""
        return self._head.samples

    @property
    def tail(self) -> int:
        """The oldest sample that is surely still there."""
        return self._head.tail

    @property
    def run(self) -> int:
        """How many runs have begun."""
        return self._head.run

    @property
    def closed(self) -> bool:
        """Whether the writer closed the ring."""
        return self._head.closed

    @property
    def close_reason(self) -> str:
        """Why the writer closed the ring; may be empty."""
        return self._head.reason

    @property
    def writer_alive(self) -> bool:
        """Whether the writing process runs."""
        return self._watch.is_alive()

    @property
    def last_arrival_s(self) -> float | None:
        """When the newest samples arrived, on the rig's clock; None before the first."""
        return self._head.arrival_s or None

    @property
    def last_heartbeat_s(self) -> float:
        """When the writer last wrote or showed that it works, on the rig's clock."""
        return max(self._head.heartbeat_s, self._head.arrival_s)

    def view(self, start: int, stop: int) -> View:
        """Show samples [start, stop) without copying: one read-only array, valid inside only.

            with ring.view(start, stop) as samples:
                ...

        Raises:
            NotYet: some are not written yet.
            Overrun: some are overwritten; at the end: they were, while they were shown.
        """
        return View(self.window(start, stop), start, self.check_holds)

    def read(self, start: int, stop: int) -> Samples:
        """Return a checked copy of samples [start, stop).

        Raises:
            NotYet: some are not written yet.
            Overrun: some are overwritten.
        """
        samples = self.window(start, stop).copy()
        self.check_holds(start)
        return samples

    def window(self, start: int, stop: int) -> Samples:
        """Return the place of samples [start, stop), not a copy: sooner or later others are there.

        Who uses it asks `holds` or `check_holds` afterwards; `view` does so by itself.

        Raises:
            NotYet: some are not written yet.
            Overrun: some are overwritten.
        """
        if not 0 <= start <= stop:
            raise ValueError(f"[{start}, {stop}) is no range of samples")
        head = self._head.samples
        if stop > head:
            raise NotYet(f"samples [{start}, {stop}) are not written yet; there are {head}")
        self.check_holds(start)
        return self._segment.samples.window(start, stop)

    def holds(self, start: int) -> bool:
        """Return whether all from that sample on is still there, and was so until now."""
        return start >= self._head.tail

    def check_holds(self, start: int) -> None:
        """Return if all from that sample on is still there.

        Raises:
            Overrun: some is overwritten.
        """
        tail = self._head.tail
        if start < tail:
            raise Overrun(f"sample {start} is overwritten; the oldest is {tail}", tail=tail)

    def latest(self, points: int) -> Samples:
        """Return a checked copy of the newest samples: so many, or fewer if there are no more.

        Raises:
            Overrun: they were overwritten meanwhile; ask for less than the capacity.
        """
        stop = self.head
        return self.read(min(max(stop - points, self.tail), stop), stop)

    def position_at(self, instant_s: float) -> float | None:
        """Return the position of an instant, in samples and fractions; None if not reached.

        Its ceiling is the first sample that was taken at that instant or later: of a window that
        begins there the first, of one that ends there the first that does not belong to it. An
        instant at which nothing came lies at the first sample that came after it. See `instants`.

        Args:
            instant_s: on the rig's clock, as the arrival times.

        Raises:
            Overrun: it lies before what is still there.
        """
        return lookup.position_at(self._segment, instant_s)

    def cursor(self, start: int | None = None) -> Cursor:
        """Return a cursor that follows whole blocks from a sample on, from now on by default.

        Raises:
            NotYet: that sample is in the future.
            Overrun: it is overwritten.
        """
        return Cursor(self._segment, self.await_change, start)

    def wait(self, index: int, timeout_s: float) -> bool:
        """Wait until that sample is published; returns whether it is.

        Raises:
            RingClosed: it will never be: the ring is closed.
            WriterDied: it will never be: the writer's process is gone.
            RingError: this reader is closed.
        """
        return self.await_change(lambda: self._head.samples > index, timeout_s)

    def await_change(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until what is published makes `ready` true; returns whether it is.

        Raises:
            RingClosed: the ring is closed and it is not.
            WriterDied: the writer's process is gone and it is not.
        """
        if ready():
            return True
        deadline = time.monotonic() + timeout_s
        try:
            bell = self._bell or self._own_bell()
        except (RingClosed, WriterDied):
            if ready():  # what was published between that look and the end is not lost
                return True
            raise
        while not self._is_over_or(ready):
            remaining_s = deadline - time.monotonic()
            if not bell.wait(remaining_s):
                self._watch.is_alive()  # it remembers
            if remaining_s <= 0:
                return self._is_over_or(ready)
        return True

    def check(self) -> None:
        """Return if more may follow.

        Raises:
            RingClosed: the ring is closed.
            WriterDied: the writer's process is gone.
        """
        end = self._end()
        if end is not None:
            raise end

    def fileno(self) -> int:
        """Return a descriptor for an event loop: readable when the ring changed or was closed.

        It does not tell of a writer's death: `check` now and then. Call `drain` when it fires.

        Raises:
            RingError: the ring is removed.
        """
        return self._own_bell().fileno()

    def drain(self) -> None:
        """Make `fileno` unreadable again; look at the ring after this, not before."""
        self._own_bell().drain()

    def _own_bell(self) -> Bell:
        if self._bell is None:
            try:
                self._bell = Bell(self._folder, self._segment.registry, self._watch)
            except RingError:
                self.check()  # a ring is removed after its end: that is what the caller is to know
                raise
        return self._bell

    def _is_over_or(self, ready: Callable[[], bool]) -> bool:
        """Return whether it is ready; raise how the ring ended if it never will be."""
        # Before looking: what was published before the end is read.
        is_over = self._head.closed or self._watch.is_gone
        if ready():
            return True
        if is_over:
            self.check()
        return False

    def _end(self) -> RingError | None:
        if self._head.closed:
            reason = self._head.reason
            return RingClosed(f"the ring {self.name!r} is closed" + (reason and f": {reason}"))
        if not self._watch.is_alive():
            return WriterDied(
                f"the writer of the ring {self.name!r} (process {self._watch.process.pid}) is gone"
            )
        return None
