"""The rig: carries out the steps of commands on its sources, its recording and its service.

From: `daemon.talk`, which hands it commands.  To: `daemon.sources`, `daemon.recording`, the lab's
own `Service`.
"""

import asyncio
import logging
from dataclasses import dataclass

import msgspec

from rigctl.config import Rig as RigConfig
from rigctl.daemon.health import RecorderLife, conditions
from rigctl.daemon.hooks import Hooks
from rigctl.daemon.recording import Recording
from rigctl.daemon.service import Service
from rigctl.daemon.sources import Sources
from rigctl.daemon.states import CLEANUP, INIT, INTERRUPT, START, State, after, plan
from rigctl.daemon.streams import StreamState
from rigctl.daemon.turns import Turns
from rigctl.errors import Refused
from rigctl.messages import Event, ExpRef, Json, Status
from rigctl.reports import Condition, HostClock, RigReport

log = logging.getLogger(__name__)

ENDING_S = 200.0
"""What opening and closing devices and files takes at the most, beside the hooks of the service."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a controller wants of the rig."""

    event: Event
    """INIT, START, END, INTERRUPT or CLEANUP."""
    exp_ref: ExpRef | None = None
    """The reference that it names, if any."""
    data: Json = None
    """What else came with it."""
    within_s: float | None = None
    """How long the controller waits for the result, where it says so."""

    @property
    def by(self) -> str:
        """Which controller it comes from, where it says so."""
        return str(self.data.get("by", ""))[:80] if isinstance(self.data, dict) else ""

    @property
    def abandon(self) -> str:
        """Why a session is to be set aside, if the controller rolls it back."""
        return str(self.data.get("abandon", ""))[:500] if isinstance(self.data, dict) else ""


class Rig:
    """One rig's state and what it commands.

    Args:
        config: the rig's configuration.
        service: the lab's own logic.
    """

    def __init__(self, config: RigConfig, service: Service) -> None:
        self.config = config
        self.state = State()
        self.changed = asyncio.Event()
        self.streams = {
            name: StreamState(entry, recorded=name in config.record)
            for name, entry in config.sources.items()
        }
        self.alyx: tuple[Json, Json] = (None, {})
        """The lab database's URL and token, if a controller has given them."""
        self._hooks = Hooks(service, config.hook_timeout_s)
        self._turns = Turns()
        self._beginning: asyncio.Task[Json] | None = None
        self._owner = ""
        self._notes: list[Condition] = []
        self._host_clock: HostClock | None = None
        self._recording = Recording(config, self.streams, self.changed.set)
        self._sources = Sources(config, self.streams, self._recording, self.changed.set)

    async def command(self, command: Command) -> Json:
        """Carry out a command after those before it and return its reply's data.

        An interrupt ends what is under way and overtakes what waits.

        Raises:
            Refused: the state does not allow it, or an interrupt came first.
            Exception: a step failed; the state tells how far it came.
        """
        self._check_owner(command)
        place = self._turns.place()
        if command.event is INTERRUPT:
            place = self.interrupt()
        async with self._turns.turn(place, command.event.label, command.within_s):
            return await self._execute(command, place)

    def interrupt(self) -> int:
        """End what is begun at present; a hook that hangs is ended too."""
        place = self._turns.interrupt()
        if self._beginning:
            self._beginning.cancel()
        else:
            self._hooks.interrupt()
        return place

    def report(self) -> RigReport:
        """Return what the rig says of itself."""
        session, state = self._recording.session, self.state
        streams = {name: stream.report() for name, stream in self.streams.items()}
        life = RecorderLife(self.config.flush_s, self._recording.recorder.silent_s)
        found = conditions(state.status, streams, life)
        # What is shown of a session goes on its record, however briefly it was the case.
        self._recording.see(found)
        return RigReport(
            name=self.config.name,
            status=state.status.name,
            exp_ref=str(state.exp_ref) if state.exp_ref else None,
            path=str(session.path) if session else None,
            main_sync=self.config.main_sync,
            conditions=(*found, *self._notes),
            streams=streams,
            host_clock=self._host_clock,
        )

    def note(self, condition: Condition) -> None:
        """Have a condition reported until the next session begins."""
        self._notes.append(condition)
        self.changed.set()

    def kept_by(self, keeper: HostClock) -> None:
        """Note how the clock of this computer is kept."""
        self._host_clock = keeper

    async def look(self, now_s: float) -> None:
        """Note how far the streams have got and what is wrong; called twice a second."""
        for stream in self.streams.values():
            stream.tick(now_s)
        self.report()
        await self._recording.save_episodes()

    async def check_turn(self) -> None:
        """Check that no command holds up all others.

        Raises:
            Refused: one does, for longer than its hooks and the sealing of a session can take.
        """
        most_s = 2 * self.config.hook_timeout_s + ENDING_S
        if (overdue_s := self._turns.overdue_s) > most_s:
            raise Refused(f"a command is {overdue_s:.0f} s late, and others wait for their turn")

    async def shut_down(self, reason: str) -> None:
        """Stop and seal what runs, release all; for the end of the daemon."""
        self._turns.close()
        self.interrupt()
        try:
            await self._turns.last()
            if self.state.status is not Status.CONNECTED:
                await self._execute(Command(CLEANUP, data={"reason": reason}), self._turns.place())
        except Exception as error:  # the lab's own hooks may raise anything; the rest is ended
            log.error("not ended in order: %s", error, exc_info=error)
        finally:
            await self._close()

    def _check_owner(self, command: Command) -> None:
        """A roll-back undoes what its own controller began, nothing else.

        Raises:
            Refused: another controller began it.
        """
        idle = self.state.status is Status.CONNECTED and not self._beginning
        if command.abandon and not idle and command.by != self._owner:
            raise Refused("this was begun by another controller and is left alone")

    async def _execute(self, command: Command, place: int) -> Json:
        steps = plan(self.state, command.event, command.exp_ref)
        known = None if CLEANUP in steps else self.state.exp_ref
        if INIT in steps and (target := command.exp_ref or known):
            self._recording.check_free(target)
        result: Json = None
        for step in steps:
            self._turns.check(place, command.event.label)
            result = await self._step(step, command)
        if result is not None:
            return result
        note = {} if steps else {"note": f"nothing to do: {self.state.status.name} already"}
        return {**msgspec.to_builtins(self.report()), **note}

    async def _step(self, step: Event, command: Command) -> Json:
        # What ends has ended, also when something went wrong on the way: the error is told, and
        # the status does not go on to say that the rig runs.
        done = step not in (INIT, START)
        try:
            result = await (self._end(step, command) if done else self._begin(step, command))
            done = True
            return result
        finally:
            if done:
                self.state = after(self.state, step, command.exp_ref)
                self.changed.set()
                log.info("%s: now %s", step.label, self.state.status.name)

    async def _begin(self, step: Event, command: Command) -> Json:
        """Carry out INIT or START in a task of its own, which an interrupt can end."""
        self._owner = command.by
        doing = self._init(command) if step is INIT else self._start(command)
        self._beginning = asyncio.create_task(doing, name=f"{step.label}")
        try:
            await asyncio.wait([self._beginning])
            if self._beginning.cancelled():
                raise Refused(f"{step.label} was interrupted")
            return self._beginning.result()
        except asyncio.CancelledError:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
            raise
        finally:
            self._beginning = None

    async def _end(self, step: Event, command: Command) -> Json:
        if step is CLEANUP:
            return await self._cleanup(command)
        return await self._stop(command, immediately=step is INTERRUPT)

    async def _init(self, command: Command) -> Json:
        try:
            await asyncio.gather(self._sources.open(), self._recording.open())
            return await self._hooks.init(str(command.exp_ref or ""), command.data)
        except BaseException:
            await asyncio.shield(self._close())
            raise

    async def _start(self, command: Command) -> Json:
        exp_ref = command.exp_ref or self.state.exp_ref
        assert exp_ref  # seen to by `states.plan`
        await self._recording.open()
        try:
            await self._recording.begin(exp_ref, command.within_s)
            self._notes.clear()
            assert self._recording.session
            self._hooks.service.session_path = self._recording.session.path
            return await self._hooks.start(str(exp_ref), command.data)
        except BaseException as error:
            # Also when an interrupt cancels us: nothing may go on recording unknown to anybody.
            await asyncio.shield(self._recording.abandon(f"START failed: {error!r}"))
            raise

    async def _stop(self, command: Command, *, immediately: bool) -> Json:
        try:
            return await self._hooks.stop(command.data, immediately)
        finally:
            if command.abandon:
                await self._recording.abandon(command.abandon, command.within_s)
            else:
                await self._recording.end(command.within_s)

    async def _cleanup(self, command: Command) -> Json:
        try:
            return await self._hooks.cleanup(command.data)
        finally:
            self._hooks.service.session_path = None
            self._owner = ""
            try:
                await self._recording.seal()
            finally:
                await self._close()

    async def _close(self) -> None:
        await self._sources.close()
        await self._recording.recorder.close()
