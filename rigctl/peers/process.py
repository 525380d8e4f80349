"""A worker process as the daemon sees it: started, told, listened to, ended.

From: `daemon`.  To: a process that runs `peers.source` or `peers.recorder`.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator

import msgspec

from rigctl import log as logs
from rigctl.peers.orders import Order, Report

log = logging.getLogger(__name__)

_DECODER: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
_ENCODER = msgspec.json.Encoder()
_MAX_LINE_BYTES = 4_000_000
_END_S = 10.0
"""How long a worker may take to end by itself."""


class Worker:
    """One worker process; made by `start`.

    Args:
        name: what it is called in the log.
        process: the running process.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._relaying = asyncio.create_task(self._relay(), name=f"log of {name}")

    @classmethod
    async def start(cls, module: str, name: str, setup: Order) -> "Worker":
        """Start a module as a worker and give it its first order.

        Raises:
            OSError: it cannot be started.
        """
        # In a session of its own, so that ^C in a terminal reaches the daemon alone.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_MAX_LINE_BYTES,
            start_new_session=os.name == "posix",
        )
        worker = cls(name, process)
        worker.send(setup)
        return worker

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode

    def send(self, order: Order) -> None:
        """Give an order; one to a worker that is gone is lost with it."""
        assert self._process.stdin
        if not self._process.stdin.is_closing():
            self._process.stdin.write(_ENCODER.encode(order) + b"\n")

    async def reports(self) -> AsyncIterator[Report]:
        """Yield what it tells until it has ended."""
        assert self._process.stdout
        async for line in self._process.stdout:
            yield _DECODER.decode(line)
        await self._process.wait()

    async def stop(self) -> None:
        """Have it put its things in order and end; by force if it does not."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            log.error("%s did not end within %g s and was killed", self.name, _END_S)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await self._relaying

    async def _relay(self) -> None:
        """Put what it logs or prints into our log."""
        assert self._process.stderr
        async for line in self._process.stderr:
            if text := line.decode(errors="replace").rstrip():
                logs.relay(text, self.name)
