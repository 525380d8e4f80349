"""Counts of what goes wrong again and again, told at 1, 10, 100, ... (pure).

From: `assembly`.  To: notices. What goes wrong fifty times a second must not flood a log.
"""

from collections import Counter

from rigctl.blocks import Item, Notice


class Tally:
    """Counts by kind, and when it is time to say so."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, kind: str, text: str) -> list[Item]:
        """Count one more of a kind and return a notice when the count is a power of ten.

        Args:
            kind: what is counted apart from other kinds.
            text: what is said, with ``{count}`` in it.
        """
        self._counts[kind] += 1
        count = self._counts[kind]
        if str(count).strip("0") != "1":
            return []
        return [Notice("protocol", text.format(count=count), {"count": count})]
