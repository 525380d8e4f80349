"""The window [start, stop) of a session as one stream sees it: which samples belong to it.

From: `peers.track`, which asks where it begins and ends in a ring; orders of the daemon.
To: rings (`streams`), and the index of what is recorded, for the positions of the two instants.

An instant may lie in the ring's past, when its order came late, or in the future.  At its end
nothing is waited for longer than `STOP_PATIENCE_S` after it, or the length of `PATIENT_BLOCKS`: a
source that has stalled, or has lost its device, brings no sample that shows that it is over.

With a pre-roll the recording begins before its window, as far as the ring has it: the window's
position is then more than 0, and nothing that a ring lacks before it counts as lost.
"""

import math
import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rigctl.blocks import BlockFlags
from rigctl.errors import Overrun
from rigctl.recording.index import Records
from rigctl.streams import RingReader
from rigctl.streams.instants import Arrival, taken_s

STOP_PATIENCE_S = 2.0
PATIENT_BLOCKS = 2

_GAP, _FILLED = BlockFlags.GAP_BEFORE, BlockFlags.FILLED
_LOOK_UP_S = 0.25
_AROUND = 1024
"""How many appends before and after an instant are looked at."""


@dataclass(frozen=True, slots=True)
class Place:
    """With which sample of which ring a stream goes on."""

    ring: str
    sample: int
    is_seamless: bool = True
    """Whether it follows right behind what is recorded."""


class Gate:
    """Lets a stream's samples pass from the first instant to the second; `close` is any thread's.

    Args:
        start_s: the instant on the rig's clock with which it opens; None: it is open.
        lead_s: how much of what comes before that passes, too, where the ring has it.
    """

    def __init__(self, start_s: float | None = None, lead_s: float = 0.0) -> None:
        self._start_s = start_s
        self._lead_s = lead_s
        self._goes_on: Place | None = None
        self._is_open = start_s is None
        self.place: Place | None = None
        """Where it has opened, if that was a place and not an instant."""
        self._stop_s: float | None = None
        self._end_s = math.inf
        self._block_s = 0.0

    @property
    def is_awaited(self) -> bool:
        """Whether it has not opened yet."""
        return not self._is_open

    def reopen(self, behind_s: float | None, place: Place | None) -> None:
        """Have it open once more, behind what is recorded.

        Args:
            behind_s: the instant with which it opens in another ring than that of the place; None
                for that of before.
            place: where it opens in a ring that has outlived a crash, if that is known.
        """
        if behind_s is not None:
            self._start_s, self._lead_s = behind_s, 0.0
        self._goes_on, self._is_open = place, False

    @property
    def stop_s(self) -> float | None:
        """The instant with which it closes, if one was ordered."""
        return self._stop_s

    @property
    def is_closing(self) -> bool:
        """Whether the end was ordered."""
        return self._end_s < math.inf

    @property
    def remaining_s(self) -> float | None:
        """For how long something may still come that belongs to it; None: nobody knows."""
        patience_s = max(STOP_PATIENCE_S, PATIENT_BLOCKS * self._block_s)
        left_s = self._end_s + patience_s - time.monotonic()
        return max(left_s, 0.0) if self.is_closing else None

    def see(self, block_s: float) -> None:
        """Note the length of a block that came."""
        self._block_s = max(self._block_s, block_s)

    def close(self, stop_s: float | None) -> None:
        """Order the end: at an instant, or with what has arrived, but not after an earlier one."""
        if stop_s is not None:
            self._stop_s = stop_s
        self._end_s = -math.inf if stop_s is None else stop_s

    def open(self, reader: RingReader) -> float | None:
        """Wait until it is known where in a ring it opens; None if it closes before.

        What the ring does not have any more is counted back from what it has.

        Raises:
            RingClosed: it does not open in this ring: it is closed.
            WriterDied: the same: its writer is gone.
        """
        goes_on = self._goes_on
        self.place = goes_on if goes_on and goes_on.ring == reader.name else None
        if self.place:
            self._is_open = True
            return self.place.sample
        while True:
            head = reader.head
            position = self._begins(reader)
            if position is not None:
                self._is_open = True
                return position
            if self.remaining_s == 0:
                return None
            reader.wait(head, _LOOK_UP_S)

    def _begins(self, reader: RingReader) -> float | None:
        if self._start_s is None:
            return 0.0
        return _position_in_ring(reader, self._start_s - self._lead_s)

    def needed_in(self, reader: RingReader) -> float | None:
        """Return from which sample of a ring on none may be missing; None: from none that is there.

        To be asked once it has opened there.
        """
        if self.place:
            return self.place.sample
        return None if self._start_s is None else _position_in_ring(reader, self._start_s)

    def stop_in(self, reader: RingReader) -> float | None:
        """Return where in a ring it closes; None where that is not known, or never ordered."""
        return None if self._stop_s is None else _position_in_ring(reader, self._stop_s)


def arrivals_in(records: Records, instant_s: float) -> list[Arrival]:
    """Return what the index of a recording tells of the time around an instant."""
    jumps = np.flatnonzero(np.diff(records["arrival_s"]) < 0)  # the computer was started again
    low = int(jumps[-1]) + 1 if len(jumps) else 0
    at = low + int(np.searchsorted(records["arrival_s"][low:], instant_s))
    near = records[max(at - _AROUND, low) : at + _AROUND]
    firsts, counts = near["first"].tolist(), near["count"].tolist()
    times, flags = near["arrival_s"].tolist(), near["flags"].tolist()
    return [
        Arrival(first, first + count, arrival_s, _begins(BlockFlags(flag)))
        for first, count, arrival_s, flag in zip(firsts, counts, times, flags, strict=True)
    ]


def last_taken_s(records: Records, rate_hz: Fraction) -> float:
    """Return when the last sample of a recording was taken; there must be one."""
    return taken_s(arrivals_in(records, float(records[-1]["arrival_s"])), rate_hz)


def _begins(flags: BlockFlags) -> bool:
    # What stands in for lost samples keeps the sample index in time.
    return bool(flags & BlockFlags.START) or (flags & (_GAP | _FILLED)) == _GAP


def _position_in_ring(reader: RingReader, instant_s: float) -> float | None:
    try:
        return reader.position_at(instant_s)
    except Overrun as error:
        return float(error.tail - error.missing)
