"""One start of an experiment: on all rigs of a lab, or on none.

From: `controller.desk`.  To: `controller.services`.

Undone is what this start has changed, or may have changed, and nothing else:

    what a rig answered to the command      is it undone?
    done                                    yes, unless it had been that far before
    refused, or failed at it                only if this start had initialised it
    nothing: a timeout, an interrupt        yes, for whether it took effect is unknown

What another controller began is its own: rigs tell by a token who began what they do, and refuse
to have it undone by anybody else.
"""

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any

from rigctl.config import Lab
from rigctl.controller.services import Services, failure
from rigctl.controller.telling import Errors, tell
from rigctl.errors import RemoteError, TooLarge
from rigctl.messages import ExpRef, Json, Message, Status
from rigctl.net import verbs
from rigctl.reports import LabReport

log = logging.getLogger(__name__)

_REFUSED = "Refused:"
"""How the error of a rig begins that has done nothing about a command, and will not."""


class Start:
    """Brings rigs to RUNNING, and back where that fails.

    Args:
        lab: which rigs are required.
        services: the way to them.
        before: what the rigs said before anything was changed; those that did are started.
        token: says whose it is what is begun.
    """

    def __init__(self, lab: Lab, services: Services, before: LabReport, token: str) -> None:
        self._lab = lab
        self._services = services
        self._token = token
        self._status = {name: rig.status for name, rig in before.rigs.items() if rig.reachable}
        self._names = list(self._status)
        self._changed: set[str] = set()
        self._told: list[str] = []

    @property
    def outcome(self) -> str:
        """What was undone so far, for people."""
        return "; ".join(self._told) or "no rig was changed"

    async def run(self, exp_ref: ExpRef) -> None:
        """Initialise and start.

        Raises:
            RigsFailed: required rigs failed; what was changed is undone, the note says how.
        """
        fresh = {name for name in self._names if self._status[name] != Status.RUNNING.name}
        idle = {name for name in fresh if self._status[name] != Status.INITIALIZED.name}
        init = verbs.init_message({"exp_ref": str(exp_ref), "by": self._token})
        await self._bring(init, idle)
        await self._bring(verbs.start_message(exp_ref, {"by": self._token}), fresh)

    async def undo(self, why: str) -> str:
        """Have rigs set aside what this start began, and let go; return what came of it."""
        await self._undo([name for name in self._status if name in self._changed], why)
        return self.outcome

    async def _bring(self, message: Message, may_change: Collection[str]) -> None:
        """Tell rigs; if a required one fails undo all, else go on without those that failed."""
        before = set(self._changed)
        self._changed |= set(may_change)  # until they say that it is not so
        _, errors = await tell(self._services, message, self._names)
        self._changed -= {name for name, e in errors.items() if _is_unchanged(e)} - before
        if failed := {n: e for n, e in errors.items() if self._lab.rigs[n].required}:
            note = await self.undo(f"because of {', '.join(failed)}")
            raise failure(failed, note=note)
        await self._go_on_without(errors)

    async def _go_on_without(self, errors: Errors) -> None:
        for name, error in errors.items():
            log.warning("going on without %s, which is not required: %s", name, error)
        self._names = [name for name in self._names if name not in errors]
        await self._undo([name for name in errors if name in self._changed], "it failed")

    async def _undo(self, names: list[str], why: str) -> None:
        self._changed -= set(names)
        if names:
            await _to_its_end(self._roll_back(names, why))

    async def _roll_back(self, names: list[str], why: str) -> None:
        """Have rigs stop and let go; those that refuse that are not ours and left alone."""
        data: Json = {"abandon": f"rolled back: {why}", "by": self._token}
        stop, services = verbs.stop_message(data, immediately=True), self._services
        _, not_stopped = await tell(services, stop, names)
        alone = {n: e for n, e in not_stopped.items() if _is_refusal(e)}
        rest = [name for name in names if name not in alone]
        _, not_cleaned = await tell(services, verbs.cleanup_message(data), rest)
        alone |= {n: e for n, e in not_cleaned.items() if _is_refusal(e)}
        bad = {n: e for n, e in (not_stopped | not_cleaned).items() if n not in alone}
        self._told += _account(names, alone, bad)
        log.info("%s: %s", why, self.outcome)


def _is_unchanged(error: Exception) -> bool:
    """Whether it is known that the command has changed nothing, or was undone by the rig."""
    return isinstance(error, RemoteError | TooLarge)


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, RemoteError) and str(error).startswith(_REFUSED)


def _account(names: list[str], alone: Errors, bad: Errors) -> list[str]:
    done = [name for name in names if name not in alone and name not in bad]
    texts = [f"rolled back: {', '.join(done)}"] if done else []
    texts += [f"left alone: {name}: {_reason(error)}" for name, error in alone.items()]
    return texts + [f"NOT rolled back: {name}: {error}" for name, error in bad.items()]


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
