"""A thread that makes durable what another one writes, so that writing never waits for it."""

import queue
import threading
from collections.abc import Callable


class Syncer(threading.Thread):
    """Makes durable what was written, each time it is told to."""

    def __init__(self, sync: Callable[[], object]) -> None:
        super().__init__(name="sync")
        self._sync = sync
        self._due: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        """Sync until told to end."""
        while self._due.get():
            self._sync()

    def due(self) -> None:
        """Another second of data is written."""
        self._due.put(True)

    def end(self) -> None:
        """Return once it has done what it was told."""
        self._due.put(False)
        self.join()
