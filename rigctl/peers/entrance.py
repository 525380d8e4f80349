"""Where the recording of a stream begins in a ring, and how it follows on what there is already.

From: rings (`streams`), and the window's gate.  To: `peers.track`, a cursor at the first sample.

A ring that has outlived a crash of the recorder, or a full disk, still holds what was recorded
last: that tells how the samples behind it follow, and whether its markers were recorded as well.
"""

import logging
import math
from collections.abc import Callable

from rigctl.errors import NotYet, Overrun, RingClosed, WriterDied
from rigctl.peers.tape import Tape
from rigctl.peers.window import Gate
from rigctl.streams import Batch, Cursor, RingReader

log = logging.getLogger(__name__)

CountOverrun = Callable[[str, int, int], None]
"""Told what is lost: a text, how many samples, and how many blocks."""


class Entrance:
    """Finds the first sample to record of one ring after the other.

    Args:
        stream: its name.
        gate: the window.
        tape: to which the samples go.
        overrun: told what was overwritten before it could be recorded.
    """

    def __init__(self, stream: str, gate: Gate, tape: Tape, overrun: CountOverrun) -> None:
        self._stream = stream
        self._gate = gate
        self._tape = tape
        self._overrun = overrun

    def enter(self, reader: RingReader, *, from_start: bool) -> Cursor | None:
        """Return a cursor at the first sample to record; None if this ring brings none.

        Args:
            reader: attached to the ring.
            from_start: whether all that is in it is recorded, or what comes from now on; where the
                window is open already.
        """
        gate = self._gate
        if not gate.is_awaited:
            start = 0 if from_start else None
            return self._at(reader, start, start)
        try:
            position = gate.open(reader)
        except (RingClosed, WriterDied) as error:
            log.warning("%s: %s", self._stream, error)
            return None
        if position is None:
            return None
        first, needed = max(math.ceil(position), 0), gate.needed_in(reader)
        cursor = self._at(reader, first, needed and max(math.ceil(needed), first))
        if gate.place is None:
            self._tape.positions.start_at(position - cursor.position)
        elif gate.place.is_seamless:
            self._tape.goes_on_exactly()
            if cursor.position == first:
                self._follow(reader, first)
        return cursor

    def _at(self, reader: RingReader, start: int | None, needed: float | None) -> Cursor:
        """Return a cursor at a sample, or at the oldest; what is needed and overwritten is lost."""
        while True:
            try:
                cursor = reader.cursor(start)
            except Overrun as error:
                start = error.tail
                continue
            self._tape.thread(reader.info, cursor.position, reader.name)
            if needed is not None and cursor.position > needed:
                lost = cursor.position - int(needed)
                text = f"{lost} samples were overwritten before they could be recorded"
                self._overrun(f"{text}: a longer ring keeps more", lost, 0)
            return cursor

    def _follow(self, reader: RingReader, behind: int) -> None:
        """Have the tape follow what the ring still has of the last append, if it is all of it."""
        batches: list[Batch] = []
        try:
            cursor = reader.cursor(max(behind - self._tape.last_points, 0))
            while cursor.position < behind:
                batch = cursor.read(behind - cursor.position)
                if batch is None:
                    return
                batches.append(batch)
        except (NotYet, Overrun):
            return
        for batch in batches:
            self._tape.follow(batch, reader.info, behind)
