"""The recorder process: the rig's streams from their rings into a session on disk.

From: rings, orders of the daemon.  To: `recording`, reports to the daemon.

One thread per stream appends; one flushes all of them every interval, so that no append ever
waits for the disk to be durable.
"""

import logging
import threading
import time
from collections import deque
from pathlib import Path

import msgspec

from rigctl.config.keeping import Roll
from rigctl.errors import DiskFull, RigctlError
from rigctl.peers.former import Former, boot, cut_ahead, find_former
from rigctl.peers.orders import (
    Attach,
    Begin,
    Counts,
    Ended,
    Finish,
    Note,
    Order,
    Progress,
    Ready,
    RecorderSetup,
)
from rigctl.peers.track import Track
from rigctl.peers.worker import Channel
from rigctl.recording.events import EventLog, NewEvent
from rigctl.recording.layout import EVENTS
from rigctl.recording.session import open_unsealed

log = logging.getLogger(__name__)

BEAT_S = 0.4
"""How often the recorder says where it has got to, at the least."""
_MOST_EVENTS = 1000
"""So many wait for space on a full disk; the oldest are given up, and only in the log."""


class Recorder:
    """Carries out the daemon's orders; a recording that is to end ends beside them.

    Args:
        channel: to the daemon.
        flush_s: what a power cut may cost at the most.
        roll: when a stream goes on in a further part; None: never.
    """

    def __init__(self, channel: Channel, flush_s: float, roll: Roll | None = None) -> None:
        self._channel = channel
        self._flush_s = flush_s
        self._roll = roll
        self._session = ""
        self._tracks: dict[str, Track] = {}
        self._events: EventLog | None = None
        self._events_lock = threading.Lock()
        self._unlogged: deque[NewEvent] = deque(maxlen=_MOST_EVENTS)
        self._events_wait = self._events_lost = ""
        """Why events are not logged yet, and why some never will be in this session."""
        self._finished = threading.Event()
        self._flusher: threading.Thread | None = None
        self._finisher: threading.Thread | None = None

    def obey(self, order: Order) -> None:
        """Carry out one order."""
        match order:
            case Begin():
                self._begin(order)
            case Attach(stream, ring):
                if track := self._tracks.get(stream):
                    track.attach(ring, from_start=True)
            case Finish(stop_s):
                self._finish(stop_s)
            case Note():
                self._note(order)
            case _:
                log.error("an order that a recorder does not know: %s", order)

    def finish(self) -> None:
        """Record what has arrived, close all files, and say what there is."""
        if self._tracks:
            self._finish(None)
        if self._finisher:
            self._finisher.join()
            self._finisher = None

    def _finish(self, stop_s: float | None) -> None:
        """Have the recording end at an instant, or at once, whatever was ordered before."""
        for track in self._tracks.values():
            track.finish(stop_s)
        if self._finisher is None or not self._finisher.is_alive():
            self._finisher = threading.Thread(target=self._end, name="finish")
            self._finisher.start()

    def _end(self) -> None:
        """Wait until all streams have ended, close all files, and say what there is."""
        tracks = self._tracks
        for track in tracks.values():
            track.join()
        self._finished.set()
        if self._flusher:
            self._flusher.join()
        samples = {name: count.samples for name, count in self._counts().items()}
        self._log_event("stop", {"samples": samples})
        with self._events_lock:
            if self._events:
                self._events.close()
            self._events = None
            self._unlogged.clear()  # no other session's
        digests = {n: d for track in tracks.values() for n, d in track.digests.items()}
        counts = self._counts()
        self._tracks = {}
        self._channel.report(Ended(counts, digests, self._session))

    def _begin(self, order: Begin) -> None:
        self.finish()  # one session at a time, whatever the order of the orders
        session = Path(order.session)
        self._session, self._events_wait, self._events_lost = order.session, "", ""
        try:
            if order.resume:
                open_unsealed(session)
            events = self._events = EventLog(session / EVENTS, "recorder")
            formers = _formers(order, events) if order.resume else {}
        except RigctlError as error:
            failed = {stream: Counts(failure=str(error)) for stream in order.streams}
            self._channel.report(Progress(failed))
            return
        kind = "resume" if order.resume else "start"
        self._log_event(kind, {"exp_ref": order.exp_ref, "boot": boot()})
        self._finished.clear()
        self._tracks = {
            stream: Track(
                stream, session, events, self._report, order.start_s, order.pre_roll_s, self._roll
            )
            for stream in order.streams
        }
        for stream, former in formers.items():
            self._tracks[stream].go_on(former)
        for stream, ring in order.streams.items():
            if ring:
                self._tracks[stream].attach(ring, from_start=order.resume)
            self._tracks[stream].start()
        self._flusher = threading.Thread(target=self._flush, name="flush")
        self._flusher.start()
        self._report()

    def _note(self, note: Note) -> None:
        track = self._tracks.get(note.stream)
        if track:
            value = {**note.facts, "text": note.text, "sample": track.position_of(note.at)}
            self._log_event(note.kind, value, source=note.stream)
            self._report()  # also that it could not be logged

    def _flush(self) -> None:
        """Flush every interval; report more often, so that a recorder that hangs is found out."""
        due_s = time.monotonic() + self._flush_s
        while not self._finished.wait(min(BEAT_S, max(due_s - time.monotonic(), 0))):
            if time.monotonic() >= due_s:
                due_s += self._flush_s
                for track in self._tracks.values():
                    track.sync()
                self._log_events()
            self._report()

    def _report(self) -> None:
        self._channel.report(Progress(self._counts()))

    def _counts(self) -> dict[str, Counts]:
        return {name: self._counts_of(track) for name, track in self._tracks.items()}

    def _counts_of(self, track: Track) -> Counts:
        counts, failure = track.counts, self._events_lost or self._events_wait
        return counts if counts.failure else msgspec.structs.replace(counts, failure=failure)

    def _log_event(self, kind: str, value: object, source: str = "recorder") -> None:
        self._log_events(NewEvent(source, kind, value, time.time(), time.monotonic()))

    def _log_events(self, *events: NewEvent) -> None:
        """Log events behind those that a full disk had no space for."""
        with self._events_lock:
            self._unlogged += events
            waiting = list(self._unlogged)
            try:
                if self._events and waiting:
                    self._events.append_many(waiting)
                self._unlogged.clear()
                self._events_wait = ""
            except DiskFull as error:
                self._events_wait = f"{len(waiting)} events wait for space: {error}"
                log.warning("%s", self._events_wait)
            except RigctlError as error:
                self._unlogged.clear()
                self._events_lost = f"{len(waiting)} events not written: {error}"
                log.error("%s", self._events_lost)


def _formers(order: Begin, events: EventLog) -> dict[str, Former]:
    """Return what the session has of its streams.

    Raises:
        RecordingError: it cannot be read.
    """
    path = Path(order.session)
    for stream in order.streams:
        cut_ahead(path, stream, events)
    found = {stream: find_former(path, stream, order.since_unix_s) for stream in order.streams}
    return {stream: former for stream, former in found.items() if former}


def main() -> int:
    """Be a recorder process."""
    channel = Channel.take_over()
    orders = channel.orders()
    setup = next(orders, None)
    if not isinstance(setup, RecorderSetup):
        return 0
    recorder = Recorder(channel, setup.flush_s, setup.roll)
    channel.report(Ready())
    try:
        for order in orders:
            recorder.obey(order)
    finally:
        # The daemon is gone or has no more use for us: what has arrived is put in order first.
        recorder.finish()
    return 0
