"""The rig: its state, and the steps of commands one after the other.

From: `daemon.talk`, which hands it commands.  To: `daemon.actions`, which carries out the steps,
and `daemon.journal`, which knows of each before it begins and when it has ended.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec

from rigctl.config import Rig as RigConfig
from rigctl.daemon.actions import Actions
from rigctl.daemon.clock_notes import ClockNotes
from rigctl.daemon.command import Command, instant_s
from rigctl.daemon.health import is_recording
from rigctl.daemon.journal import Journal
from rigctl.daemon.lastcall import LastCall
from rigctl.daemon.pulse import Pulse
from rigctl.daemon.returning import Returning
from rigctl.daemon.selfreport import SelfReport
from rigctl.daemon.standing import Standing
from rigctl.daemon.states import CLEANUP, END, INIT, INTERRUPT, START, State, plan
from rigctl.daemon.tokens import Tokens
from rigctl.daemon.turns import Turns
from rigctl.daemon.undertaking import Undertaking
from rigctl.errors import JournalError
from rigctl.messages import Event, Json, Status
from rigctl.net.clock import RigClock
from rigctl.net.rejections import Rejections
from rigctl.reports import Condition, HostClock, RigReport

log = logging.getLogger(__name__)

ENDING_S = 200.0
"""What opening and closing devices and files takes at the most, beside the hooks of the service."""

STOP_LEAD_S = 0.5
"""So long before its instant a stop begins; until then an interrupt can overtake it, and a rig that
is killed goes on."""


class Rig:
    """One rig's state and what it commands.

    Args:
        config: the rig's configuration.
        actions: what steps do.
        journal: what outlives this daemon.
        clock: the rig's own.
    """

    def __init__(
        self, config: RigConfig, actions: Actions, journal: Journal, clock: RigClock
    ) -> None:
        self.config = config
        self.changed = actions.changed
        self.alyx: tuple[Json, Json] = (None, {})
        """The lab database's URL and token, if a controller has given them."""
        self.clock_notes = ClockNotes(clock, actions.recording.note_clock)
        self._clock = clock
        self._actions = actions
        self._recording = actions.recording
        self._journal = journal
        self._pulse = Pulse(journal)
        self._standing = Standing()
        self._turns = Turns()
        self._tokens = Tokens()
        self._doing = Undertaking()
        self._last_call = LastCall(actions.disk, self.command)
        self._armed = False
        self._telling = SelfReport(config, actions, self._pulse)
        self.rejections = Rejections()
        """What its sockets have rejected; the daemon's own is put here."""

    @property
    def state(self) -> State:
        """Where the rig is, and with which experiment."""
        return self._standing.state

    async def come_back(self, found: Standing, free: Callable[[], Awaitable[None]]) -> None:
        """Take up again what the daemon before us left; commands wait for their turn meanwhile.

        Args:
            found: where it stood.
            free: returns when nobody writes into its session any more.

        Raises:
            JournalError: somebody does; nothing was touched.
        """
        returning = Returning(found, self._actions, self.note)
        came = Standing()
        async with self._turns.turn(self._turns.place(), "coming back"):
            # From now on whoever asks, or commands, is told of what there is to come back to.
            self._standing, self._telling.coming = found, returning.text
            try:
                await free()
                came = await returning.run(self._doing.carry)
            finally:
                self._standing, self._telling.coming = came, ""
                self._actions.tell()
            if came != found:
                self._write(came)

    async def command(self, command: Command) -> Json:
        """Carry out a command after those before it and return its reply's data.

        An interrupt ends what is under way and overtakes what waits.

        Raises:
            Refused: the state does not allow it, or an interrupt came first.
            Exception: a step failed; the state tells how far it came.
        """
        self._check_owner(command)
        at_s = instant_s(command, self._clock.now())
        place = self._turns.place()
        if command.event is INTERRUPT:
            place = self.interrupt()
        async with self._turns.turn(place, command.event.label, command.within_s):
            self._check_owner(command)  # what was idle as it arrived may be another's by now
            return await self._execute(command, at_s, place)

    def interrupt(self) -> int:
        """End what is begun at present; a hook that hangs is ended too."""
        place = self._turns.interrupt()
        if not self._doing.end():
            self._actions.hooks.interrupt()
        return place

    def report(self) -> RigReport:
        """Return what the rig says of itself."""
        rejected = self.rejections.total
        return self._telling.make(self._standing, armed=self._armed, rejected=rejected)

    def note(self, condition: Condition) -> None:
        """Have a condition reported until the next session begins."""
        self._telling.notes.append(condition)
        self.changed.set()

    def kept_by(self, keeper: HostClock) -> None:
        """Note how the clock of this computer is kept."""
        self._telling.host_clock = keeper

    async def look(self, now_s: float) -> None:
        """Note how far the streams have got and what is wrong; called twice a second."""
        actions, is_running = self._actions, self.state.status is Status.RUNNING
        for stream in actions.streams.values():
            stream.tick()
        if is_running or self._pulse.fault:
            self._pulse.look(now_s)
        level = actions.disk.look(now_s, self._standing.path if is_running else None)
        self.report()
        self._last_call.heed(level, self.state)
        await self._recording.save_episodes()

    async def check_turn(self) -> None:
        """Check that no command holds up all others.

        Raises:
            Refused: one does, for longer than its hooks and the sealing of a session can take.
        """
        self._turns.check_due(2 * self.config.hook_timeout_s + ENDING_S)

    async def check_journal(self) -> None:
        """Check that the journal can be written, unless a recording would be ended for it.

        Raises:
            JournalError: it cannot.
        """
        if not is_recording(self.state.status, self._actions.stream_reports()):
            self._pulse.check()

    async def shut_down(self, reason: str) -> None:
        """Stop and seal what runs, release all; for the end of the daemon."""
        self._turns.close()
        self.interrupt()
        try:
            await self._turns.last()
            if self.state.status is not Status.CONNECTED:
                command = Command(CLEANUP, data={"reason": reason})
                await self._execute(command, None, self._turns.place())
        except Exception as error:  # the lab's own hooks may raise anything; the rest is ended
            log.error("not ended in order: %s", error, exc_info=error)
        finally:
            await self._last_call.close()
            await self._actions.close()

    def _check_owner(self, command: Command) -> None:
        """Take note of whose command it is.

        Raises:
            Refused: another controller began what is to be undone.
        """
        begun = self._telling.coming or self._doing.is_under_way
        idle = self.state.status is Status.CONNECTED and not begun
        self._tokens.hear(command, self._standing.owner, idle=idle)

    async def _execute(self, command: Command, at_s: float | None, place: int) -> Json:
        self._tokens.check(command)
        steps = plan(self.state, command.event, command.exp_ref)
        target = command.exp_ref or (None if CLEANUP in steps else self.state.exp_ref)
        if INIT in steps and target:
            self._recording.check_free(target)
        if INIT in steps:  # also while what was before is cleaned up: it may be undone from now on
            self._standing = replace(self._standing, owner=command.by)
        if at_s is not None and steps in ((END,), (INTERRUPT,)):
            name = f"{command.event.label} at an instant"
            await self._doing.carry(name, _until(at_s - STOP_LEAD_S))
        result: Json = None
        for step in steps:
            self._turns.check(place, command.event.label)
            result = await self._step(step, command, at_s)
        if command.arm and self.state.status is Status.INITIALIZED:
            if not steps:
                self._armed = False
                await self._doing.carry("arming", self._actions.arm(command, target))
            self._armed = True
        if result is not None:
            return result
        note = {} if steps else {"note": f"nothing to do: {self.state.status.name} already"}
        return {**msgspec.to_builtins(self.report()), **note}

    async def _step(self, step: Event, command: Command, at_s: float | None) -> Json:
        # What ends has ended, also when something went wrong on the way: the error is told, and
        # the status does not go on to say that the rig runs.
        done = step not in (INIT, START)
        self._write_beginning(step, command)
        try:
            result = await self._act(step, command, at_s)
            done = True
            return result
        finally:
            self._settle(step, command, done=done)

    async def _act(self, step: Event, command: Command, at_s: float | None) -> Json:
        actions, exp_ref = self._actions, command.exp_ref or self.state.exp_ref
        result: Json = None
        if step is not CLEANUP:
            self.clock_notes.command(command.data)  # with START it is the session's first
        if step is INIT:
            result = await self._doing.carry(step.label, actions.init(command, exp_ref))
        elif step is START:
            assert exp_ref  # seen to by `states.plan`
            result = await self._doing.carry(step.label, actions.start(command, exp_ref, at_s))
            self._telling.notes.clear()
        elif step is CLEANUP:
            return await actions.cleanup(command)
        if step in (INIT, START):
            return result
        return await actions.stop(command, at_s, immediately=step is INTERRUPT)

    def _write_beginning(self, step: Event, command: Command) -> None:
        """Have the journal know of a step before it begins.

        Raises:
            JournalError: it cannot be written, and the step would begin something.
            SessionExists: START would write into a folder that is there already.
        """
        standing, exp_ref = self._standing, command.exp_ref or self.state.exp_ref
        if step in (INIT, START):
            standing = replace(standing, owner=command.by)
        if step is START and exp_ref:
            self._recording.check_free(exp_ref)
            state = State(self.state.status, exp_ref)
            standing = replace(standing, state=state, path=self._recording.path_of(exp_ref))
        self._standing = replace(self._standing, owner=standing.owner)
        try:
            self._journal.stand(replace(standing, doing=step, abandon=command.abandon))
        except JournalError as error:
            if step in (INIT, START):
                raise
            log.error("%s goes on without a journal: %s", step.label, error)

    def _settle(self, step: Event, command: Command, *, done: bool) -> None:
        """A step has ended: say so in the journal, too."""
        self._armed = False
        if done:
            session = self._recording.session
            path, now = session.path if session else None, self._clock.now()
            self._standing = self._standing.reached(step, command, path, now.clock)
            log.info("%s: now %s", step.label, self.state.status.name)
        self._actions.tell()
        self._write(self._standing)

    def _write(self, standing: Standing) -> None:
        try:
            self._journal.stand(standing)
        except JournalError as error:
            log.error("%s", error)
            text = f"{error}; a daemon started anew would not know of {self.state.status.name}"
            self.note(Condition("DEGRADED", "", text))


async def _until(instant_s: float) -> None:
    """Return at an instant on the monotonic clock."""
    await asyncio.sleep(instant_s - time.monotonic())
