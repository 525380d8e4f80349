"""Worker processes of the tests: what they tell is kept, and can be waited for."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from rigctl.peers.orders import Order, Report
from rigctl.peers.process import Worker

R = TypeVar("R", bound=Report)
_PATIENCE_S = 20.0


def _any(_: object) -> bool:
    return True


class Listener:
    """A worker and what it has told so far."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.told: list[Report] = []
        self._news = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(), name=f"reports of {worker.name}")

    @classmethod
    async def start(cls, module: str, name: str, setup: Order) -> "Listener":
        return cls(await Worker.start(f"rigctl.peers.{module}", name, setup))

    def all(self, kind: type[R]) -> list[R]:
        return [report for report in self.told if isinstance(report, kind)]

    async def until(self, kind: type[R], fits: Callable[[R], bool] = _any, *, after: int = 0) -> R:
        """Return the first report that fits, of those after so many."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                for report in self.told[after:]:
                    if isinstance(report, kind) and fits(report):
                        return report
                assert not self._listening.done(), f"ended after {self.told}"
                self._news.clear()
                await self._news.wait()

    async def ended(self) -> int | None:
        """Wait until it has ended by itself; return how."""
        async with asyncio.timeout(_PATIENCE_S):
            await self._listening
        return self.worker.exit_code

    async def stop(self) -> int | None:
        await self.worker.stop()
        return await self.ended()

    async def _listen(self) -> None:
        async for report in self.worker.reports():
            self.told.append(report)
            self._news.set()
        self._news.set()
