"""A worker process as the daemon sees it: started, told, listened to, ended.

From: `daemon`.  To: a process that runs `peers.source` or `peers.recorder`.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Collection

import msgspec

from rigctl import log as logs
from rigctl.peers.orders import Order, Report

log = logging.getLogger(__name__)

_DECODER: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
_ENCODER = msgspec.json.Encoder()
_MAX_LINE_BYTES = 4_000_000
READY_S = 15.0
"""How long a worker may take to come up."""
_END_S = 10.0
"""How long a worker may take to end by itself."""


class Worker:
    """One worker process; made by `start`.

    Args:
        name: what it is called in the log.
        process: the running process.
        exited: set when it has ended, whoever may still hold its pipes.
    """

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, exited: asyncio.Event
    ) -> None:
        self.name = name
        self._process = process
        self._exited = exited
        self._killed = False
        self._relaying = asyncio.create_task(self._relay(), name=f"log of {name}")

    @classmethod
    async def start(
        cls, module: str, name: str, setup: Order, *, held: Collection[int] = ()
    ) -> "Worker":
        """Start a worker and give it its first order.

        Args:
            module: where its `main` is, such as ``rigctl.peers.recorder``.
            name: what it is called in the log.
            setup: the order.
            held: descriptors that it keeps open until it has ended.

        Raises:
            OSError: it cannot be started.
        """
        loop = asyncio.get_running_loop()
        # In a session of its own, so that ^C in a terminal reaches the daemon alone.
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(loop),
            sys.executable,
            "-m",
            __package__,
            module.rpartition(".")[2],
            start_new_session=os.name == "posix",
            pass_fds=held,
        )
        process = asyncio.subprocess.Process(transport, protocol, loop)
        worker = cls(name, process, protocol.exited)
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
        while line := await _next_line(self._process.stdout, self.name):
            try:
                yield _DECODER.decode(line)
            except msgspec.DecodeError as error:
                # One that is killed may leave half a line behind.
                log.warning("%s: a report that cannot be read: %s", self.name, error)
        await self._end()

    async def stop(self) -> None:
        """Have it put its things in order and end; by force if it does not."""
        assert self._process.stdin
        self._process.stdin.close()
        await self._end()

    async def _end(self) -> None:
        """Wait until it has ended, and end what it may have started."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._exited.wait()
        if not self._exited.is_set():
            log.error("%s did not end within %g s and is killed", self.name, _END_S)
        self._kill_all()
        await self._process.wait()
        await self._relaying

    def _kill_all(self) -> None:
        """Kill it and all that it started; once, for its number may be given away again."""
        if self._killed:
            return
        self._killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    async def _relay(self) -> None:
        """Put what it logs or prints into our log."""
        assert self._process.stderr
        while line := await _next_line(self._process.stderr, self.name):
            if text := line.decode(errors="replace").rstrip():
                logs.relay(text, self.name)


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells when a process ends; `Process.wait` would wait for all who hold its pipes as well.

    Args:
        loop: the running one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_MAX_LINE_BYTES, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        """Called by the loop."""
        super().process_exited()
        self.exited.set()


async def _next_line(stream: asyncio.StreamReader, name: str) -> bytes:
    """Return the next line, empty at the end; one that is too long is passed over."""
    while True:
        try:
            return await stream.readline()
        except ValueError:
            log.warning("%s: a line of more than %d bytes is passed over", name, _MAX_LINE_BYTES)
