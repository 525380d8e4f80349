"""How far other clocks were from the rig's while a session lasted (pure).

From: `daemon.chronicle`, one sample whenever another clock was compared.  To: ``session.json``.

The first is kept, the last, and between them one every ten seconds; of a session so long that
these are too many, every other one is given up and the pause between them doubled.
"""

from collections.abc import Iterable

from rigctl.recording.session import ClockOffset

MAX_KEPT = 2000

_PAUSE_S = 10.0


class ClockSamples:
    """The clock samples of one session.

    Args:
        kept: those that it has already.
    """

    def __init__(self, kept: Iterable[ClockOffset] = ()) -> None:
        self._kept = list(kept)
        self._pause_s = _PAUSE_S
        self.latest: ClockOffset | None = None

    @property
    def all(self) -> tuple[ClockOffset, ...]:
        """Those that are kept, in the order in which they came."""
        return tuple(self._kept)

    def note(self, sample: ClockOffset) -> bool:
        """Take a sample; return whether it is kept."""
        self.latest = sample
        # A wall clock that was set back is no reason to wait.
        is_due = not self._kept or not 0 <= sample.unix_s - self._kept[-1].unix_s < self._pause_s
        if is_due:
            self._keep(sample)
        return is_due

    def close(self) -> None:
        """Keep the last sample, whenever it came."""
        if self.latest and self.latest not in self._kept[-1:]:
            self._keep(self.latest)

    def _keep(self, sample: ClockOffset) -> None:
        if len(self._kept) >= MAX_KEPT:
            self._kept = self._kept[::2]
            self._pause_s *= 2
        self._kept.append(sample)
