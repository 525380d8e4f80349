"""A lab's own hooks, called so that whatever they do harms nothing else.

From: `daemon.rig`.  To: the lab's `Service`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from rigctl.daemon.service import Service
from rigctl.errors import RigctlError
from rigctl.messages import Json


class HookFailed(RigctlError):
    """A hook did not return, was interrupted, or tried to end the daemon."""


class Hooks:
    """Calls the hooks of a service, one at a time, each within a time.

    Args:
        service: the lab's own logic.
        timeout_s: how long a hook may take.
    """

    def __init__(self, service: Service, timeout_s: float) -> None:
        self.service = service
        self._timeout_s = timeout_s
        self._running: asyncio.Task[Json] | None = None
        self._interrupted = False

    async def init(self, exp_ref: str, data: Json) -> Json:
        """Call `on_init`; errors as `call`."""
        return await self._call("on_init", self.service.on_init(exp_ref, data))

    async def start(self, exp_ref: str, data: Json) -> Json:
        """Call `on_start`; errors as `call`."""
        return await self._call("on_start", self.service.on_start(exp_ref, data))

    async def stop(self, data: Json, immediately: bool) -> Json:
        """Call `on_stop`; errors as `call`."""
        return await self._call("on_stop", self.service.on_stop(data, immediately))

    async def cleanup(self, data: Json) -> Json:
        """Call `on_cleanup`; errors as `call`."""
        return await self._call("on_cleanup", self.service.on_cleanup(data))

    def interrupt(self) -> None:
        """End the hook that runs, if one does; who called it is told."""
        if self._running:
            self._interrupted = True
            self._running.cancel()

    async def _call(self, name: str, hook: Coroutine[Any, Any, Json]) -> Json:
        """Run a hook.

        Raises:
            HookFailed: it did not return in time, was interrupted, or called sys.exit.
            Exception: whatever else it raises.
        """
        self._interrupted = False
        running = asyncio.create_task(_contained(name, hook), name=name)
        self._running = running
        try:
            done, _ = await asyncio.wait([running], timeout=self._timeout_s)
            if not done:
                raise HookFailed(f"{name} did not return within {self._timeout_s:g} s")
            if running.cancelled():
                why = "was interrupted" if self._interrupted else "cancelled itself"
                raise HookFailed(f"{name} {why}")
            return running.result()
        finally:
            self._running = None
            running.cancel()


async def _contained(name: str, hook: Coroutine[Any, Any, Json]) -> Json:
    try:
        return await hook
    except SystemExit as error:
        # The loop itself would end with it, and the recording with the loop.
        raise HookFailed(f"{name} called sys.exit({error.code})") from error
