"""What a start began is set aside and let go again.

From: `controller.start`, `controller.resume`.  To: `controller.telling`.

What another controller began is its own: rigs tell by a token who began what they do, and refuse
to have it undone by anybody else.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from rigctl.controller.telling import Errors, Telling
from rigctl.errors import RemoteError
from rigctl.messages import Json
from rigctl.net import verbs

log = logging.getLogger(__name__)

_REFUSED = "Refused:"
"""How the error of a rig begins that has done nothing about a command, and will not."""


class Undoing:
    """Has rigs stop and let go, and knows what came of it.

    Args:
        telling: the way to the rigs.
        token: whose it is what is undone.
    """

    def __init__(self, telling: Telling, token: str) -> None:
        self._telling = telling
        self._token = token
        self.told: list[str] = []
        """What came of it, for people."""
        self.left: list[str] = []
        """The rigs on which it is not undone, or not known to be."""
        self.alone: dict[str, str] = {}
        """The rigs that are another controller's, and what they say to that."""

    async def roll_back(self, names: Sequence[str], why: str) -> None:
        """Have rigs set aside what the token began; brought to its end although cancelled."""
        if names:
            await _to_its_end(self._roll_back(names, why))

    async def _roll_back(self, names: Sequence[str], why: str) -> None:
        """Have rigs stop and let go; those that refuse that are not ours and left alone."""
        data: Json = {"abandon": f"rolled back: {why}", "by": self._token}
        stop, clean = verbs.stop_message(data, immediately=True), verbs.cleanup_message(data)
        _, not_stopped = await self._telling.tell(stop, names)
        alone = {n: e for n, e in not_stopped.items() if _is_refusal(e)}
        _, not_cleaned = await self._telling.tell(clean, [n for n in names if n not in alone])
        alone |= {n: e for n, e in not_cleaned.items() if _is_refusal(e)}
        bad = {n: e for n, e in (not_stopped | not_cleaned).items() if n not in alone}
        self._account(names, alone, bad)
        log.info("%s: %s", why, "; ".join(self.told))

    def _account(self, names: Sequence[str], alone: Errors, bad: Errors) -> None:
        done = [name for name in names if name not in alone and name not in bad]
        reasons = {name: _reason(error) for name, error in alone.items()}
        self.told += [f"rolled back: {', '.join(done)}"] if done else []
        self.told += [f"left alone: {name}: {reason}" for name, reason in reasons.items()]
        self.told += [f"NOT rolled back: {name}: {error}" for name, error in bad.items()]
        self.alone |= reasons
        self.left += bad


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, RemoteError) and str(error).startswith(_REFUSED)


def _reason(error: Exception) -> str:
    return str(error).removeprefix(_REFUSED).strip()


async def _to_its_end(undoing: Coroutine[Any, Any, None]) -> None:
    """Await something that an interrupt must not cut short; the interrupt is passed on after it."""
    task = asyncio.create_task(undoing, name="roll back")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
