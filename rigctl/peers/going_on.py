"""How a stream goes on behind what was recorded before a crash, or before the disk was full.

From: `peers.former`, what there is of it.  To: `peers.tape`, which writes what follows.

What is missing between is estimated by the clock; where the ring has outlived the interruption it
is known, and is nothing unless the ring was overwritten meanwhile.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator

from rigctl.blocks import Marker
from rigctl.peers.former import Former
from rigctl.peers.orders import Interruption
from rigctl.recording.manifest import StreamTotals
from rigctl.recording.stream_writer import StreamWriter


class GoingOn:
    """What is to be known of the time before, until and after the first sample behind it.

    Args:
        former: what there is.
        cause: why it was interrupted, for people.
    """

    def __init__(self, former: Former, cause: str) -> None:
        self.former = former
        self.is_exact = False
        """Whether the ring is the one of before."""
        self.interruption: Interruption | None = None
        """What was lost, once the first sample came."""
        self._cause = cause
        self._known = Counter(former.markers)

    def new(self, markers: Iterable[Marker]) -> Iterator[Marker]:
        """Yield the markers that are not recorded yet; their positions are the recording's."""
        for marker in markers:
            if self._known[marker] > 0:
                self._known[marker] -= 1
            else:
                yield marker

    def before(self, writers: list[StreamWriter]) -> tuple[StreamTotals, ...]:
        """Return what is counted beside the writers: they count the last folder once it goes on."""
        has_last = writers and writers[0].folder == self.former.folder
        return self.former.earlier if has_last else (*self.former.earlier, self.former.last)

    def missing_before(self, began_s: float) -> int:
        """Return how many samples are missing beside those that the ring lost."""
        return 0 if self.is_exact else self.former.missing_before(began_s)

    def begin(self, writer: StreamWriter, missing: int = 0, at_unix_s: float | None = None) -> None:
        """Put on record what was lost; called before the first sample, and of no use later."""
        self.interruption = self.interruption or Interruption(
            writer.folder.name,
            writer.samples,
            missing,
            self.former.since_unix_s,
            time.time() if at_unix_s is None else at_unix_s,
            self.is_exact,
            self._cause,
        )
