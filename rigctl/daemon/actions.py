"""What each step does to the rig's sources, its recording and the lab's own hooks.

From: `daemon.rig`, which knows the state, and `daemon.returning` after a restart.
To: `daemon.sources`, `daemon.recording`, `daemon.hooks`.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Coroutine
from pathlib import Path
from typing import Any

from rigctl.config import Rig as RigConfig
from rigctl.daemon.arming import until_flowing
from rigctl.daemon.command import Command, planned_s
from rigctl.daemon.disk import Disk
from rigctl.daemon.hooks import Hooks
from rigctl.daemon.recording import Recording
from rigctl.daemon.service import Service
from rigctl.daemon.sources import Sources
from rigctl.daemon.standing import Standing
from rigctl.daemon.streams import StreamState
from rigctl.messages import ExpRef, Json
from rigctl.reports import StreamReport

log = logging.getLogger(__name__)

_ARM_WITHIN_S = 10.0
_SHARE = 0.8
"""The part of the controller's patience in which a rig must be armed; the rest is the reply's."""


class Actions:
    """Carries out steps, whatever the state.

    Args:
        config: the rig's configuration.
        service: the lab's own logic.
        held: descriptors that worker processes keep open until they have ended.
    """

    def __init__(self, config: RigConfig, service: Service, held: Collection[int]) -> None:
        self.streams = {
            name: StreamState(entry, recorded=name in config.record)
            for name, entry in config.sources.items()
        }
        self.hooks = Hooks(service, config.hook_timeout_s)
        self.changed = asyncio.Event()
        """Set whenever something was reported; who shows it clears it."""
        self._news = asyncio.Event()
        self.recording = Recording(config, self.streams, self.tell, held)
        self.disk = Disk(config, self.streams)
        self._sources = Sources(config, self.streams, self.recording, self.tell, held)

    def tell(self) -> None:
        """Something was reported, or has changed."""
        self.changed.set()
        self._news.set()

    def stream_reports(self) -> dict[str, StreamReport]:
        """Return how each stream is, by name."""
        return {name: stream.report() for name, stream in self.streams.items()}

    async def init(self, command: Command, exp_ref: ExpRef | None) -> Json:
        """Open the sources, call the hook, and arm where that is wanted; or do none of it."""
        began_s = time.monotonic()
        try:
            await self._open()
            await self.disk.probe()
            result = await self.hooks.init(str(command.exp_ref or ""), command.data)
            if command.arm:
                await self._arm_or_undo(command, exp_ref, began_s)
        except BaseException:
            await asyncio.shield(self.close())
            raise
        return result

    async def arm(
        self, command: Command, exp_ref: ExpRef | None, began_s: float | None = None
    ) -> None:
        """Return when a START could be carried out at once.

        Args:
            command: the INIT that asks for it, and says how long its controller waits.
            exp_ref: the reference of the session that is to begin, where it is known.
            began_s: when the command was begun; None for now.

        Raises:
            StreamError: samples of a required stream, which is named, do not come.
            SessionExists: the session's folder is there already.
            RecordingError: the data root cannot be written, or has no room for what is planned.
            Refused: what is planned is no duration.
        """
        planned = planned_s(command)
        if exp_ref:
            self.recording.check_free(exp_ref)
        await self.recording.open()
        spent_s = 0.0 if began_s is None else time.monotonic() - began_s
        timeout_s = (command.within_s or _ARM_WITHIN_S) * _SHARE - spent_s
        await until_flowing(self.streams, self._news, max(timeout_s, 0.0))
        await self.disk.check(planned)

    async def start(self, command: Command, exp_ref: ExpRef, start_s: float | None) -> Json:
        """Begin a session and call the hook; or set aside what there is of it."""
        planned = planned_s(command)
        await self.recording.open()
        await self.disk.check(planned)
        was_known = self.disk.is_known
        self.disk.begin()
        try:
            await self.recording.begin(exp_ref, command.within_s, start_s)
            if not was_known:
                await self.disk.check(planned)
            assert self.recording.session
            self.hooks.service.session_path = self.recording.session.path
            return await self.hooks.start(str(exp_ref), command.data)
        except BaseException as error:
            # Also when an interrupt cancels us: nothing may go on recording unknown to anybody.
            await asyncio.shield(self.recording.abandon(f"START failed: {error!r}"))
            raise

    async def stop(self, command: Command, stop_s: float | None, *, immediately: bool) -> Json:
        """Call the hook and end the session, or set it aside where that is wanted."""
        try:
            return await self.hooks.stop(command.data, immediately)
        finally:
            if command.abandon:
                await self.recording.abandon(command.abandon, command.within_s)
            else:
                await self.recording.end(command.within_s, stop_s)

    async def cleanup(self, command: Command) -> Json:
        """Call the hook, seal the session and release all."""
        try:
            return await self.hooks.cleanup(command.data)
        finally:
            self.hooks.service.session_path = None
            try:
                await self.recording.seal()
            finally:
                await self.close()

    async def init_again(self, standing: Standing) -> None:
        """Bring about once more what an INIT before the restart had brought about."""
        try:
            await self._open()
            await self.hooks.init(_named(standing), resumed(standing.init_data))
        except BaseException:
            await asyncio.shield(self.close())
            raise

    async def go_on(self, standing: Standing, path: Path) -> list[str]:
        """Go on with a session that was recovered; return which hooks failed, and how.

        A hook that fails does not keep samples from being recorded.  Where this fails or is
        interrupted the session is stopped.
        """
        named, hooks = _named(standing), self.hooks
        hooks.service.session_path = path
        try:
            await self._open()
            init = hooks.init(named, resumed(standing.init_data))
            trouble = await _trouble("on_init", init)
            await self.recording.resume(path, standing.since_unix_s)
            self.disk.begin()
            start = hooks.start(named, resumed(standing.start_data))
            return trouble + await _trouble("on_start", start)
        except BaseException:
            await asyncio.shield(self._stop_at(path))
            raise

    async def close(self) -> None:
        """End all worker processes."""
        await self._sources.close()
        await self.recording.recorder.close()

    async def _open(self) -> None:
        await asyncio.gather(self._sources.open(), self.recording.open())

    async def _arm_or_undo(self, command: Command, exp_ref: ExpRef | None, began_s: float) -> None:
        try:
            await self.arm(command, exp_ref, began_s)
        except BaseException:
            try:
                await asyncio.shield(self.hooks.cleanup(command.data))
            except Exception as error:  # the lab's own code; why arming failed is what is told
                log.error("on_cleanup after a rig was not armed: %s", error, exc_info=error)
            raise

    async def _stop_at(self, path: Path) -> None:
        if self.recording.session:
            await self.recording.end()
        else:
            self.recording.adopt(path)


def resumed(data: Json) -> Json:
    """Return what came with a command, marked for hooks that are called anew after a restart."""
    facts = dict(data) if isinstance(data, dict) else {} if data is None else {"data": data}
    return {**facts, "resumed": True}


async def _trouble(name: str, hook: Coroutine[Any, Any, Json]) -> list[str]:
    """Await a hook whose failure ends nothing; return what is to be said of it."""
    try:
        await hook
    except Exception as error:  # the lab's own code may raise anything
        log.error("%s failed after a restart: %s", name, error, exc_info=error)
        return [f"{name}: {type(error).__name__}: {error}"]
    return []


def _named(standing: Standing) -> str:
    return str(standing.state.exp_ref or "")
