"""What was rejected, by reason, and how much of it is worth a line in the log (pure).

From: `net.communicator`.  To: status reports, the log.
"""

from collections import Counter

_MAX_REASONS = 50
_QUIET_S = 10.0
"""How long a reason that was logged is then only counted."""


class Rejections:
    """Counts what nobody who may speak here has sent."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._logged: dict[str, tuple[float, int]] = {}

    @property
    def total(self) -> int:
        """How many messages were rejected."""
        return self._counts.total()

    def add(self, reason: str, now_s: float) -> int:
        """Count one; return how many of its kind a line in the log is to tell of, 0 for none.

        Args:
            reason: what was wrong with it.
            now_s: the monotonic time.
        """
        kind = reason.partition(":")[0]
        if kind not in self._counts and len(self._counts) >= _MAX_REASONS:
            kind = "others"
        self._counts[kind] += 1
        when_s, told = self._logged.get(kind, (float("-inf"), 0))
        if now_s - when_s < _QUIET_S:
            return 0
        self._logged[kind] = (now_s, self._counts[kind])
        return self._counts[kind] - told
