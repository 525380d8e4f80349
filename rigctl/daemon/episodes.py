"""Conditions while they last: what was wrong with a session, and from when to when (pure).

From: `daemon.chronicle`, which hands it the conditions at each look.  To: ``session.json``.
"""

from collections.abc import Iterable

import msgspec

from rigctl.recording.session import Episode
from rigctl.reports import Condition

_MAX_EPISODES = 500
"""How many are kept; later ones are only in the log."""


class Episodes:
    """The episodes of one session.

    Args:
        former: those that it has already; one that has not ended goes on until the next look.
    """

    def __init__(self, former: Iterable[Episode] = ()) -> None:
        self._all = list(former)
        self._open = {
            (episode.condition, episode.source): index
            for index, episode in enumerate(self._all)
            if episode.until_unix_s is None
        }

    @property
    def all(self) -> tuple[Episode, ...]:
        """All episodes so far, in the order in which they began."""
        return tuple(self._all)

    def add(self, episode: Episode) -> None:
        """Add one that has begun and ended."""
        if len(self._all) < _MAX_EPISODES:
            self._all.append(episode)

    def look(self, conditions: Iterable[Condition], unix_s: float) -> bool:
        """Take what is the case now; return whether an episode began or ended."""
        now = {(found.condition, found.stream): found.reason for found in conditions}
        begun = [key for key in now if key not in self._open]
        ended = [key for key in self._open if key not in now]
        for key in begun[: _MAX_EPISODES - len(self._all)]:
            self._open[key] = len(self._all)
            episode = Episode(condition=key[0], source=key[1], since_unix_s=unix_s, detail=now[key])
            self._all.append(episode)
        for key in ended:
            index = self._open.pop(key)
            self._all[index] = msgspec.structs.replace(self._all[index], until_unix_s=unix_s)
        return bool(begun or ended)
