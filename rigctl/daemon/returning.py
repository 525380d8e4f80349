"""A rig taken up again where the daemon before this one was killed.

From: the journal's standing, the table of `daemon.comeback`.  To: `daemon.actions`, the session's
folder; what was lost is told as the condition RECOVERED.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from rigctl.daemon.actions import Actions
from rigctl.daemon.comeback import TABLE, Return
from rigctl.daemon.recovery import account, last_recorded_unix_s
from rigctl.daemon.standing import Standing
from rigctl.daemon.states import State
from rigctl.errors import RecordingError
from rigctl.messages import Status
from rigctl.recording.manifest import seal
from rigctl.recording.recover import recover
from rigctl.recording.session import Session, is_sealed, set_aside
from rigctl.reports import Condition

log = logging.getLogger(__name__)


class Carry(Protocol):
    """Carries something out that an interrupt may end, as the rig does INIT and START."""

    async def __call__(self, name: str, doing: Coroutine[Any, Any, Any]) -> Any:
        """Return its result.

        Raises:
            Refused: it was interrupted.
        """


class Returning:
    """Brings about again what can be, and ends in order what cannot.

    Args:
        found: where the rig stood, and what was under way.
        actions: what brings it about.
        note: told the conditions that come of it.
    """

    def __init__(
        self, found: Standing, actions: Actions, note: Callable[[Condition], None]
    ) -> None:
        self._found = found
        self._actions = actions
        self._note = note
        self._way = TABLE[found.state.status, found.doing]
        step = f", {found.doing.label} under way" if found.doing else ""
        self._was = f"{found.state.status.name}{step}"

    @property
    def text(self) -> str:
        """What goes on, for people; empty where there is nothing to do."""
        if self._way is Return.NOTHING:
            return ""
        return f"coming back after the daemon broke off ({self._about(self._was)})"

    async def run(self, carry: Carry) -> Standing:
        """Do what the table says and return where the rig stands then; no error comes of it."""
        acts: dict[Return, Callable[[Carry], Awaitable[Standing]]] = {
            Return.NOTHING: self._nothing,
            Return.UNDONE: self._undone,
            Return.AGAIN: self._again,
            Return.SET_ASIDE: self._set_aside,
            Return.GOES_ON: self._go_on,
            Return.STOPPED: self._stopped,
            Return.SEALED: self._sealed,
        }
        act = self._already_sealed if self._is_sealed() else acts[self._way]
        try:
            return await act(carry)
        except Exception as error:  # disks, drivers and the lab's own hooks may raise anything
            log.error("the rig could not come back: %s", error, exc_info=error)
            self._tell(f"could not be taken up again: {type(error).__name__}: {error}")
            await self._actions.close()
            return Standing()

    async def _nothing(self, carry: Carry) -> Standing:
        return Standing()

    async def _undone(self, carry: Carry) -> Standing:
        self._tell("nothing of it is left")
        return Standing()

    async def _again(self, carry: Carry) -> Standing:
        await carry("EXPINIT after a restart", self._actions.init_again(self._found))
        self._tell("initialised again")
        return replace(self._found, doing=None, path=None)

    async def _set_aside(self, carry: Carry) -> Standing:
        self._tell(await self._put_aside("START was cut short: the daemon was killed"))
        return Standing()

    async def _go_on(self, carry: Carry) -> Standing:
        path = self._path()
        kept = await self._recover(path)
        until = await asyncio.to_thread(last_recorded_unix_s, path, self._found.since_unix_s)
        going_on = self._actions.go_on(self._found, path)
        try:
            trouble = await carry("EXPSTART after a restart", going_on)
        except Exception as error:  # sources, disks; the session is stopped then
            log.error("%s does not go on: %s", path, error, exc_info=error)
            self._tell(f"stopped, for it does not go on: {error}; {kept}")
            return self._stands(Status.STOPPED, path)
        since = f"from {_clock(until)} " if until else ""
        self._tell(f"goes on; {kept}; nothing was recorded {since}to {_clock(time.time())}")
        for text in trouble:
            self._note(Condition("DEGRADED", "", f"after a restart the rig's own {text}"))
        return self._stands(Status.RUNNING, path)

    async def _stopped(self, carry: Carry) -> Standing:
        found = self._found
        if found.path is None or found.abandon:
            aside = await self._put_aside(found.abandon) if found.path else "there is no session"
            self._tell(f"stopped; {aside}")
            return self._stands(Status.STOPPED, None)
        path = self._path()
        kept = await self._recover(path)
        self._actions.recording.adopt(path)
        self._tell(f"stopped, to be cleaned up; {kept}")
        return self._stands(Status.STOPPED, path)

    async def _sealed(self, carry: Carry) -> Standing:
        if self._found.path is None:
            self._tell("all is released")
            return Standing()
        path = self._path()
        kept = await self._recover(path)
        session = await asyncio.to_thread(Session.open, path)
        if not session.is_sealed:
            await asyncio.to_thread(seal, session)
        self._tell(f"sealed; {kept}")
        return Standing()

    async def _already_sealed(self, carry: Carry) -> Standing:
        self._tell(f"its session {self._found.path} is sealed already and is left as it is")
        return Standing()

    def _is_sealed(self) -> bool:
        """Whether somebody has sealed the session that would go on, or be stopped.

        The journal does not know of it where a daemon with another folder of state did that, or one
        whose journal could not be written any more.
        """
        path = self._found.path
        return path is not None and is_sealed(path)

    async def _recover(self, path: Path) -> str:
        return account(await asyncio.to_thread(recover, path))

    async def _put_aside(self, why: str) -> str:
        """Free the session's reference; return what became of what was recorded."""
        path = self._found.path
        if path is None or not path.exists():
            return "nothing was recorded, or it is set aside already"
        try:
            kept = await self._recover(path)
        except RecordingError as error:  # a session that had only just begun is not whole
            kept = str(error)
        return f"set aside as {await asyncio.to_thread(set_aside, path, why)}; {kept}"

    def _path(self) -> Path:
        path = self._found.path
        if path is None or not path.exists():
            raise RecordingError(f"its session {path} is gone")
        return path

    def _stands(self, status: Status, path: Path | None) -> Standing:
        state = State(status, self._found.state.exp_ref)
        return replace(self._found, state=state, doing=None, path=path, abandon="")

    def _tell(self, text: str) -> None:
        text = f"{self._about(f'the daemon broke off while {self._was}')}: {text}"
        log.warning("%s", text)
        self._note(Condition("RECOVERED", "", text))

    def _about(self, text: str) -> str:
        ref = self._found.state.exp_ref
        return f"{ref}: {text}" if ref else text


def _clock(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%H:%M:%S.%f}"[:-3] + " UTC"
