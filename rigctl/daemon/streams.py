"""What is known of one stream of the rig: its source's situation, its ring, what is on disk.

From: reports of workers, the ring's header.  To: `reports`, `daemon.health`.
"""

import logging
import time
from collections import deque
from dataclasses import dataclass, field

from rigctl.config import SourceEntry
from rigctl.errors import RingError
from rigctl.peers.orders import Counts, Opened, Situation
from rigctl.reports import StreamReport
from rigctl.streams import RingReader

log = logging.getLogger(__name__)

_RATE_WINDOW_S = 3.0


@dataclass(slots=True)
class StreamState:
    """One stream, as its workers have last told."""

    entry: SourceEntry
    recorded: bool
    situation: Situation = field(
        default_factory=lambda: Situation("not started", lost=False, flowing=False)
    )
    opened: Opened | None = None
    counts: Counts = field(default_factory=Counts)
    _reader: RingReader | None = None
    _heads: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))

    def open_ring(self, opened: Opened) -> None:
        """The source writes into another ring now."""
        self.close_ring()
        self.opened = opened
        try:
            self._reader = RingReader.attach(opened.ring)
        except RingError as error:
            log.warning("%s: %s", self.entry.name, error)

    def close_ring(self) -> None:
        """The source's ring is gone."""
        if self._reader:
            self._reader.close()
        self._reader = None
        self.opened = None
        self._heads.clear()

    def tick(self, now_s: float) -> None:
        """Note how far the ring has got, for the measured rate."""
        if self._reader:
            self._heads.append((now_s, self._reader.head))
            while len(self._heads) > 2 and now_s - self._heads[1][0] >= _RATE_WINDOW_S:
                self._heads.popleft()

    def report(self) -> StreamReport:
        """Return what a status report says of it."""
        arrival_s = self._reader.last_arrival_s if self._reader else None
        opened, counts = self.opened, self.counts
        return StreamReport(
            device=self.entry.device,
            required=self.entry.required,
            recorded=self.recorded,
            situation=self.situation.text,
            lost=self.situation.lost,
            channels=opened.channels if opened else 0,
            rate_hz=opened.rate_hz if opened else 0.0,
            measured_hz=self._measured_hz(),
            received=self._reader.head if self._reader else 0,
            age_s=None if arrival_s is None else max(time.monotonic() - arrival_s, 0.0),
            samples=counts.samples,
            durable_samples=counts.durable_samples,
            gaps=counts.gaps,
            missing_samples=counts.missing_samples,
            overruns=counts.overruns,
            failure=counts.failure,
        )

    def _measured_hz(self) -> float | None:
        if len(self._heads) < 2:
            return None
        (begin_s, first), (end_s, last) = self._heads[0], self._heads[-1]
        return (last - first) / (end_s - begin_s) if end_s > begin_s else None
