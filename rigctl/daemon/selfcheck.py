"""Whether the daemon's own functions work, and the watchdog that hears of it.

From: `daemon.daemon`, which says what is to be looked at.  To: systemd, the log.

That the loop turns is not enough: the daemon asks itself for its status, by its own sockets, as a
controller would, and looks whether its other functions do their work.
"""

import asyncio
import functools
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Self

from rigctl.address import Address
from rigctl.daemon.notify import notify
from rigctl.messages import Status
from rigctl.net import Communicator, Options, verbs

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]
"""Returns when a function works, and raises what is wrong with it."""

_SHARE = 0.8
"""Of the time between two feedings: what a look may take.  The watchdog waits for two of them."""

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (it is not listened to)


class SelfCheck:
    """Looks at the daemon's functions; used with ``async with``.

    Args:
        servers: where the daemon listens; each is asked for the rig's status.
        options: how it is asked, with the rig's own key and certificate.
        checks: what else is to work, by name.
    """

    def __init__(
        self, servers: Sequence[Address], options: Options, checks: Mapping[str, Check]
    ) -> None:
        self._clients = [
            Communicator(_reachable(address), "client", name="ourselves", options=options)
            for address in servers
        ]
        asking = {
            f"its answers on {client.address}": functools.partial(_ask, client)
            for client in self._clients
        }
        self._checks: dict[str, Check] = {**asking, **checks}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        for client in self._clients:
            client.close()

    async def faults(self, within_s: float) -> list[str]:
        """Return what does not work, one sentence each.

        A check that hangs is not begun a second time: it may hold a thread.
        """
        for name, check in self._checks.items():
            if name not in self._running:
                task = asyncio.create_task(_run(check), name=f"self-check: {name}")
                self._running[name] = task
        await asyncio.wait(self._running.values(), timeout=within_s)
        found = {name: self._result(name, within_s) for name in self._checks}
        return [f"{name}: {fault}" for name, fault in found.items() if fault]

    def _result(self, name: str, within_s: float) -> str:
        task = self._running[name]
        if not task.done():
            return f"nothing within {within_s:g} s"
        del self._running[name]
        error = None if task.cancelled() else task.exception()
        return f"{type(error).__name__}: {error}" if error else ""


async def feed_watchdog(check: SelfCheck, interval_s: float, tell: Callable[[str], None]) -> None:
    """Feed systemd's watchdog for as long as all is well, until cancelled.

    Args:
        check: what is looked at.
        interval_s: how often it is fed.
        tell: told what does not work whenever that changes; empty if all does.
    """
    loop = asyncio.get_running_loop()
    told = ""
    async with check:
        while True:
            next_s = loop.time() + interval_s
            fault = "; ".join(await check.faults(_SHARE * interval_s))
            if not fault:
                notify(WATCHDOG=1)
            if fault != told:
                _log(fault)
                tell(fault)
                told = fault
            await asyncio.sleep(next_s - loop.time())


def _log(fault: str) -> None:
    if fault:
        log.error("the watchdog is not fed: %s", fault)
    else:
        log.warning("the watchdog is fed again: all works")


def _reachable(address: Address) -> Address:
    """Return where we reach ourselves: who listens everywhere is on the loopback too."""
    try:
        host = str(ipaddress.ip_address(address.host))
    except ValueError:
        return address
    return replace(address, host=_LOOPBACK.get(host, host))


async def _ask(client: Communicator) -> None:
    await client.request(verbs.status_message(Status.CONNECTED))


async def _run(check: Check) -> None:
    await check()
