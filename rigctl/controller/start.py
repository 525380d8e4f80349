"""One start of an experiment: on all rigs of a lab, or on none.

From: `controller.desk`, `controller.resume`.  To: `controller.telling`.

    ARM   INIT to every rig; armed is one whose streams flow and whose session could begin
    GO    START to all that are armed, at one instant that lies ahead, each in its own clock

Undone is what this start has changed, or may have changed, and nothing else:

    what a rig answered to the command      is it undone?
    done                                    yes, unless it had been that far before
    refused, or failed at it                only if this start had initialised it
    nothing: a timeout, an interrupt        yes, for whether it took effect is unknown
"""

import logging
import secrets
from collections.abc import Collection, Mapping

from rigctl.controller.clocks import clock_data
from rigctl.controller.fanout import Messages
from rigctl.controller.goals import Goal
from rigctl.controller.instants import Instant, probe, set_instant
from rigctl.controller.services import failure
from rigctl.controller.telling import Errors, Telling
from rigctl.controller.undoing import Undoing
from rigctl.errors import JournalError, RemoteError, TooLarge
from rigctl.messages import ExpRef, Json, Message, Status
from rigctl.net import verbs
from rigctl.net.echo import Dialect

log = logging.getLogger(__name__)


def new_token() -> str:
    """Return by what rigs know what one start begins: once it was undone they refuse the rest."""
    return secrets.token_hex(8)


class Start:
    """Brings rigs to RUNNING, and back where that fails.

    Args:
        telling: the way to the rigs.
        before: the status of each rig that is to be started, before anything was changed.
        required: the rigs without which none is started; the others are gone on without.
        goal: says whose it is what is begun, and what is planned.
    """

    def __init__(
        self,
        telling: Telling,
        before: Mapping[str, str | None],
        required: Collection[str],
        goal: Goal,
    ) -> None:
        self._telling = telling
        self._required = required
        self._token = goal.token
        self._planned: dict[str, Json] = {"planned_s": goal.planned_s} if goal.planned_s else {}
        self._status = before
        self._names = list(before)
        self._changed: set[str] = set()
        self.undoing = Undoing(telling, goal.token)
        self.failed: Errors = {}
        """The rigs that were gone on without; none that is required for this start."""

    @property
    def outcome(self) -> str:
        """What was undone so far, for people."""
        return "; ".join(self.undoing.told) or "no rig was changed"

    @property
    def left(self) -> list[str]:
        """The rigs on which something of this start may be left that is to be undone."""
        return [n for n in self._status if n in self._changed or n in self.undoing.left]

    async def run(self, exp_ref: ExpRef, go_after_s: float | None) -> None:
        """Arm and go.

        Args:
            exp_ref: what is started.
            go_after_s: how far ahead the instant lies at which rigs begin; None: as each is told.

        Raises:
            RigsFailed: required rigs failed; what was changed is undone, the note says how.
            JournalError: what is to be done cannot be journaled; as before.
        """
        fresh = {name for name in self._names if self._status[name] != Status.RUNNING.name}
        idle = {name for name in fresh if self._status[name] != Status.INITIALIZED.name}
        await self._bring(self._arm(exp_ref, fresh), idle)
        go = await self._set_go(go_after_s, fresh) if go_after_s is not None else None
        await self._bring(self._go(exp_ref, fresh, go), fresh, go.lead_s if go else 0.0)

    async def undo(self, why: str) -> str:
        """Have rigs set aside what this start began, and let go; return what came of it."""
        if self._changed and self._telling.entry:
            self._telling.entry.undo()
        await self._undo([name for name in self._status if name in self._changed], why)
        return self.outcome

    def _arm(self, exp_ref: ExpRef, fresh: Collection[str]) -> dict[str, Message]:
        """Return each rig's INIT; the predecessor's know no arms, and count as armed after it."""
        messages = {}
        for name in self._names:
            rig = self._telling.services[name]
            data: dict[str, Json] = {"exp_ref": str(exp_ref), "by": self._token, **self._planned}
            if name in fresh and rig.dialect is not Dialect.IBLUTIL:
                data["arm"] = True
            messages[name] = verbs.init_message(data | clock_data(rig))
        return messages

    def _go(
        self, exp_ref: ExpRef, fresh: Collection[str], go: Instant | None
    ) -> dict[str, Message]:
        messages = {}
        for name in self._names:
            rig = self._telling.services[name]
            at = go.of(rig) if go and name in fresh else {}
            data: dict[str, Json] = {"by": self._token, **self._planned, **at, **clock_data(rig)}
            messages[name] = verbs.start_message(exp_ref, data)
        return messages

    async def _set_go(self, ahead_s: float, fresh: Collection[str]) -> Instant | None:
        rigs = [self._telling.services[name] for name in self._names]
        await probe(rigs)
        for rig in rigs:
            if rig.name in fresh and rig.clock_offset is None:
                log.warning("%s tells no clock: it begins when told, at no set instant", rig.name)
        return set_instant(rigs, ahead_s)

    async def _bring(
        self, messages: Messages, may_change: Collection[str], lead_s: float = 0.0
    ) -> None:
        """Tell rigs; if a required one fails undo all, else go on without those that failed."""
        before = set(self._changed)
        self._changed |= set(may_change)  # until they say that it is not so
        try:
            _, errors = await self._telling.tell(messages, self._names, lead_s=lead_s, strict=True)
        except JournalError as error:
            self._changed = before  # nothing was sent
            note = await self.undo("because of the journal")
            raise JournalError(f"{error}; {note}") from error
        self._changed -= {name for name, e in errors.items() if _is_unchanged(e)} - before
        if failed := {n: e for n, e in errors.items() if n in self._required}:
            note = await self.undo(f"because of {', '.join(failed)}")
            raise failure(failed, note=note)
        await self._go_on_without(errors)

    async def _go_on_without(self, errors: Errors) -> None:
        for name, error in errors.items():
            log.warning("going on without %s: %s", name, error)
        self.failed |= errors
        self._names = [name for name in self._names if name not in errors]
        await self._undo([name for name in errors if name in self._changed], "it failed")

    async def _undo(self, names: list[str], why: str) -> None:
        self._changed -= set(names)
        await self.undoing.roll_back(names, why)


def _is_unchanged(error: Exception) -> bool:
    """Whether it is known that the command has changed nothing, or was undone by the rig."""
    return isinstance(error, RemoteError | TooLarge)
