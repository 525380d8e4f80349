"""A full disk, waited for: the ring keeps what comes, and then the recording goes on.

From: `peers.track`, whose write failed for want of space.  To: `peers.tape`, which goes on behind
what was written as it does after a crash.
"""

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from rigctl.errors import DiskFull
from rigctl.peers.former import cut_ahead, find_former
from rigctl.peers.tape import Tape
from rigctl.peers.window import Gate, Place
from rigctl.recording.events import EventLog
from rigctl.recording.recover import put_stream_in_order

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""How often a full disk is looked at."""
ROOM_BYTES = 1 << 20
"""How much must be free on it before the recording goes on."""


class FullDisk:
    """Knows whether a stream waits for space, and how it goes on then.

    Args:
        session: the session's folder.
        events: the session's event log.
        gate: the stream's window.
        tape: what is recorded of it.
        report: called when it begins and ends to wait.
    """

    def __init__(
        self, session: Path, events: EventLog, gate: Gate, tape: Tape, report: Callable[[], None]
    ) -> None:
        self.reason = ""
        """Why nothing is recorded at present; empty while there is space."""
        self._session = session
        self._events = events
        self._gate = gate
        self._tape = tape
        self._report = report
        self._closing = threading.Event()

    def close(self) -> None:
        """The end of the recording was ordered."""
        self._closing.set()

    def wait(self, error: DiskFull) -> bool:
        """Wait until there is space again; return False if the recording is to end before."""
        if not self.reason:
            log.error(
                "%s: nothing is recorded while the disk is full: %s", self._tape.stream, error
            )
        self.reason = f"nothing is recorded while the disk is full: {error}"
        self._report()
        while self._gate.remaining_s != 0:
            self._closing.wait(RETRY_S)
            self._closing.clear()
            if shutil.disk_usage(self._session).free >= ROOM_BYTES:
                return True
        return False

    def go_on(self, ring: str, began: int | None) -> None:
        """Have the stream go on behind what was written.

        Args:
            ring: that it is recorded from.
            began: with which sample of the ring it began, if it did.

        Raises:
            DiskFull: it still is.
            RecordingError: what was written cannot be read.
        """
        with contextlib.suppress(DiskFull):
            self._tape.close()
        for folder in self._tape.folders[-1:]:
            if folder.exists():
                put_stream_in_order(folder)
        cut_ahead(self._session, self._tape.stream, self._events)
        former, place = find_former(self._session, self._tape.stream, None), None
        if former:
            self._tape.go_on(former, "a full disk")
            place = former.place
        if began is not None and not (place and place.ring == ring):
            place = Place(ring, began, is_seamless=False)
        self._gate.reopen(None, place)

    def over(self) -> None:
        """Something was written."""
        if self.reason:
            log.warning("%s: there is space again, and it is recorded on", self._tape.stream)
            self.reason = ""
            self._report()
