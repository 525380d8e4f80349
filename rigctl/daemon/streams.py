"""What is known of one stream of the rig: its source's situation, its ring, what is on disk.

From: reports of workers, the ring's header.  To: `reports`, `daemon.health`.
"""

import logging
import time
from dataclasses import dataclass, field

from rigctl.blocks import StreamInfo
from rigctl.config import SourceEntry
from rigctl.daemon.tempo import Tempo
from rigctl.errors import RingError
from rigctl.peers.orders import Counts, Opened, Situation
from rigctl.reports import StreamReport
from rigctl.streams import RingReader

log = logging.getLogger(__name__)


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
    durable_rose_s: float | None = None
    """When `counts.durable_samples` last rose, or the session began; None outside a session."""
    _reader: RingReader | None = None
    _tempo: Tempo | None = None
    _run: int = 0

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
        self._tempo = None

    @property
    def info(self) -> StreamInfo | None:
        """The layout of its samples; None before they come."""
        return self._reader.info if self._reader else None

    @property
    def flows(self) -> bool:
        """Whether samples come, and arrive in the ring."""
        return self.situation.flowing and self._reader is not None and self._reader.head > 0

    def begin_session(self) -> None:
        """A session begins: nothing is on disk yet."""
        self.counts = Counts()
        self.durable_rose_s = time.monotonic()

    def end_session(self) -> None:
        """Nothing more becomes durable, and need not."""
        self.durable_rose_s = None

    def take_counts(self, counts: Counts) -> None:
        """The recorder tells where it has got to."""
        if self.durable_rose_s is not None and counts.durable_samples > self.counts.durable_samples:
            self.durable_rose_s = time.monotonic()
        self.counts = counts

    def tick(self) -> None:
        """Note how far the ring has got, for the measured rate; called twice a second."""
        if self._reader is None:
            return
        if self._tempo is None or self._run != self._reader.run:
            self._tempo, self._run = Tempo(float(self._reader.info.rate_hz)), self._reader.run
        head = self._reader.head  # before its arrival: a later one only seems late
        if arrival_s := self._reader.last_arrival_s:
            self._tempo.look(arrival_s, head)

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
            flowing=self.situation.flowing,
            channels=opened.channels if opened else 0,
            rate_hz=opened.rate_hz if opened else 0.0,
            measured_hz=self._tempo.measured_hz(time.monotonic()) if self._tempo else None,
            wrong_hz=self._tempo.wrong_hz if self._tempo else None,
            received=self._reader.head if self._reader else 0,
            age_s=_since(arrival_s),
            samples=counts.samples,
            durable_samples=counts.durable_samples,
            gaps=counts.gaps,
            missing_samples=counts.missing_samples,
            overruns=counts.overruns,
            durable_age_s=None if counts.ended else _since(self.durable_rose_s),
            failure=counts.failure,
            trouble=counts.trouble,
        )


def _since(when_s: float | None) -> float | None:
    return None if when_s is None else max(time.monotonic() - when_s, 0.0)
