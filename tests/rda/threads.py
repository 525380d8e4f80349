"""Servers in a thread of their own, for clients that block, and what they do when told."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from fractions import Fraction

from rigctl.rda.simulator import Simulator, SimulatorSettings
from rigctl.rda.synthetic import SyntheticSource, Wave, signal_layout

from .serving import DEADLINE_S, Script, server

RATE_HZ = 1000


def signal(channels: int = 4, dtype: str = "float32", rate_hz: int = RATE_HZ) -> SyntheticSource:
    return SyntheticSource(signal_layout(channels, Fraction(rate_hz), dtype), Wave())


class Served:
    """A server's port, and a way to have its loop do something."""

    def __init__(self) -> None:
        self.port = 0
        self.simulator: Simulator | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.end: asyncio.Event | None = None

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def do(self, action: Callable[[], Awaitable[None]]) -> None:
        """Have the server's loop do this, and wait until it is done."""

        async def act() -> None:
            await action()

        assert self.loop
        asyncio.run_coroutine_threadsafe(act(), self.loop).result(DEADLINE_S)


class Play:
    """A simulator's runs, ended and begun by hand."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._task: asyncio.Task[None] | None = None

    async def begin(self, source: SyntheticSource | None = None) -> None:
        self._task = asyncio.create_task(self.simulator.run(source))
        await asyncio.sleep(0)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


@contextlib.contextmanager
def in_thread(serving: Callable[[Served], AbstractAsyncContextManager[int]]) -> Iterator[Served]:
    served, ready = Served(), threading.Event()

    async def main() -> None:
        served.loop, served.end = asyncio.get_running_loop(), asyncio.Event()
        async with serving(served) as port:
            served.port = port
            ready.set()
            await served.end.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(DEADLINE_S)
    try:
        yield served
    finally:
        assert served.loop
        assert served.end
        served.loop.call_soon_threadsafe(served.end.set)
        thread.join(DEADLINE_S)


@contextlib.contextmanager
def playing(
    source: SyntheticSource | None = None, settings: SimulatorSettings | None = None
) -> Iterator[tuple[Served, Play]]:
    """A simulated amplifier that plays from the beginning."""
    plays: list[Play] = []

    @asynccontextmanager
    async def serving(served: Served) -> AsyncIterator[int]:
        simulator = Simulator(
            source or signal(), settings or SimulatorSettings(port=0, block_s=0.005)
        )
        async with simulator:
            play = Play(simulator)
            plays.append(play)
            await play.begin()
            try:
                yield simulator.port
            finally:
                await play.stop()

    with in_thread(serving) as served:
        yield served, plays[0]


@contextlib.contextmanager
def saying(*scripts: Script, port: int = 0) -> Iterator[Served]:
    """A server with one script per connection."""
    with in_thread(lambda _: server(*scripts, port=port)) as served:
        yield served
