"""The rig: carries out the steps of commands on its sources, its recording and its service.

From: `daemon.daemon`, which hands it commands.  To: `daemon.sources`, `daemon.recording`, the
lab's own `Service`.
"""

import asyncio
import logging
from dataclasses import dataclass

import msgspec

from rigctl.config import Rig as RigConfig
from rigctl.daemon.health import conditions
from rigctl.daemon.recording import Recording
from rigctl.daemon.service import Service
from rigctl.daemon.sources import Sources
from rigctl.daemon.states import CLEANUP, INIT, INTERRUPT, START, State, after, plan
from rigctl.daemon.streams import StreamState
from rigctl.errors import Refused
from rigctl.messages import Event, ExpRef, Json, Status
from rigctl.reports import Condition, RigReport

log = logging.getLogger(__name__)


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


class Rig:
    """One rig's state and what it commands.

    Args:
        config: the rig's configuration.
        service: the lab's own logic.
    """

    def __init__(self, config: RigConfig, service: Service) -> None:
        self.config = config
        self.state = State()
        self.service = service
        self.changed = asyncio.Event()
        self.streams = {
            name: StreamState(entry, recorded=name in config.record)
            for name, entry in config.sources.items()
        }
        self.alyx: tuple[Json, Json] = (None, {})
        """The lab database's URL and token, if a controller has given them."""
        self._turn = asyncio.Lock()
        self._running: asyncio.Task[Json] | None = None
        self._beginning = False
        self._interrupted = False
        self._shut = False
        self._notes: list[Condition] = []
        self._recording = Recording(config, self.streams, self.changed.set)
        self._sources = Sources(config, self.streams, self._recording.attach, self.changed.set)

    async def command(self, command: Command) -> Json:
        """Carry out a command after those before it, unless an interrupt ends it; as `execute`."""
        async with self._turn:
            if self._shut:
                raise Refused("the daemon is being stopped")
            self._running = asyncio.create_task(
                self.execute(command), name=f"execute {command.event.label}"
            )
            running = self._running
            try:
                return await running
            except asyncio.CancelledError:
                if not self._interrupted:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)
                    raise
                raise Refused(f"{command.event.label} was interrupted") from None
            finally:
                self._running, self._interrupted = None, False

    def interrupt(self) -> None:
        """End the INIT or START that is under way; what it began is undone."""
        if self._running and self._beginning:
            self._interrupted = True
            self._running.cancel()

    async def execute(self, command: Command) -> Json:
        """Carry out a command and return its reply's data; the state follows every step.

        Raises:
            Refused: the state does not allow it.
            RigctlError: a step failed; the state tells how far it came.
        """
        target = command.exp_ref or self.state.exp_ref
        steps = plan(self.state, command.event, command.exp_ref)
        if INIT in steps and target:
            self._recording.check_free(target)
        result: Json = None
        for step in steps:
            result = await self._step(step, command)
        if result is not None:
            return result
        note = {} if steps else {"note": f"nothing to do: {self.state.status.name} already"}
        return {**msgspec.to_builtins(self.report()), **note}

    def report(self) -> RigReport:
        """Return what the rig says of itself."""
        session, state = self._recording.session, self.state
        streams = {name: stream.report() for name, stream in self.streams.items()}
        return RigReport(
            status=state.status.name,
            exp_ref=str(state.exp_ref) if state.exp_ref else None,
            path=str(session.path) if session else None,
            main_sync=self.config.main_sync,
            conditions=(*conditions(state.status, streams), *self._notes),
            streams=streams,
        )

    def note(self, condition: Condition) -> None:
        """Have a condition reported until the next session begins."""
        self._notes.append(condition)
        self.changed.set()

    def tick(self, now_s: float) -> None:
        """Note how far the streams have got; called once a second."""
        for stream in self.streams.values():
            stream.tick(now_s)

    async def shut_down(self, reason: str) -> None:
        """Stop and seal what runs, release all; for the end of the daemon."""
        self._shut = True
        self.interrupt()
        try:
            async with self._turn:  # whatever is under way comes to its end
                pass
            if self.state.status is not Status.CONNECTED:
                await self.execute(Command(CLEANUP, data={"reason": reason}))
        except Exception as error:
            log.error("not ended in order: %s", error, exc_info=error)
        finally:
            await self._sources.close()
            await self._recording.close()

    async def _step(self, step: Event, command: Command) -> Json:
        self._beginning = step in (INIT, START)
        # What ends has ended, also when something went wrong on the way: the error is told, and
        # the status does not go on to say that the rig runs.
        done = not self._beginning
        try:
            result = await self._carry_out(step, command)
            done = True
            return result
        finally:
            self._beginning = False
            if done:
                self.state = after(self.state, step, command.exp_ref)
                self.changed.set()
                log.info("%s: now %s", step.label, self.state.status.name)

    async def _carry_out(self, step: Event, command: Command) -> Json:
        match step:
            case Event.EXPINIT:
                return await self._init(command)
            case Event.EXPSTART:
                return await self._start(command)
            case Event.EXPEND | Event.EXPINTERRUPT:
                return await self._stop(command, immediately=step is INTERRUPT)
            case _:
                return await self._cleanup(command)

    async def _init(self, command: Command) -> Json:
        try:
            self._sources.open()
            await self._recording.open()
            return await self.service.on_init(str(command.exp_ref or ""), command.data)
        except BaseException:
            await self._close()
            raise

    async def _start(self, command: Command) -> Json:
        exp_ref = command.exp_ref or self.state.exp_ref
        assert exp_ref  # seen to by `states.plan`
        await self._recording.open()
        try:
            await self._recording.begin(exp_ref, command.within_s)
            self._notes.clear()
            assert self._recording.session
            self.service.session_path = self._recording.session.path
            return await self.service.on_start(str(exp_ref), command.data)
        except BaseException as error:
            # Also when an interrupt cancels us: nothing may go on recording unknown to anybody.
            await asyncio.shield(self._recording.abandon(f"START failed: {error!r}"))
            raise

    async def _stop(self, command: Command, *, immediately: bool) -> Json:
        try:
            result = await self.service.on_stop(command.data, immediately)
        finally:
            if reason := _abandoning(command.data):
                await self._recording.abandon(reason)
            else:
                await self._recording.end()
        return result

    async def _cleanup(self, command: Command) -> Json:
        try:
            return await self.service.on_cleanup(command.data)
        finally:
            self.service.session_path = None
            try:
                await self._recording.seal()
            finally:
                await self._close()

    async def _close(self) -> None:
        await self._sources.close()
        await self._recording.close()


def _abandoning(data: Json) -> str:
    """Return why a session is to be set aside, if the controller rolls it back."""
    return str(data.get("abandon", ""))[:500] if isinstance(data, dict) else ""
