"""A simulated clock: what is to happen, in order, and machines that say when they are due."""

import heapq
import itertools
from collections.abc import Callable, Iterable
from typing import Protocol


class Machine(Protocol):
    """What has timers of its own."""

    def next_wakeup(self) -> float: ...

    def poll(self) -> None: ...


class Timeline:
    """Time that passes only where something happens.

    Args:
        machines: those that there are at present; asked again at every step.
    """

    def __init__(self, machines: Callable[[], Iterable[Machine]]) -> None:
        self.time = 1000.0
        self._machines = machines
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.time + seconds, next(self._order), happen))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.time + seconds
        while True:
            due = [(machine.next_wakeup(), machine) for machine in self._machines()]
            next_event = self._events[0][0] if self._events else float("inf")
            self.time = max(self.time, min(until, next_event, *(at for at, _ in due)))
            if self.time >= until:
                return
            if next_event <= self.time:
                heapq.heappop(self._events)[2]()
                continue
            for at, machine in due:
                if at <= self.time:
                    machine.poll()
