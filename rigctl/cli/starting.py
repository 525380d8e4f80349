"""A start that ^C and SIGTERM undo, with what came of that.

From: `cli.control`, `cli.run`.  To: `controller.desk`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from rigctl.cli.desk import busy, err
from rigctl.cli.interrupts import Interrupt
from rigctl.controller import Desk
from rigctl.messages import ExpRef
from rigctl.reports import LabReport


async def start_unless(
    interrupt: Interrupt, desk: Desk, exp_ref: ExpRef, planned_s: float | None
) -> LabReport | None:
    """Start an experiment; arguments as `Desk.start`.

    Returns:
        The report of the start, or None when an interrupt came first: it is undone, and said so.

    Raises:
        RigsFailed, Refused: as `Desk.start`.
    """
    with busy(f"starting {exp_ref} on {', '.join(desk.lab.rigs)} ..."):
        report = await _unless(interrupt.came, desk.start(exp_ref, planned_s))
    if report is None:
        err.print(f"{interrupt.label}: {desk.undone}", markup=False)
    return report


async def _unless(
    stopped: asyncio.Event, starting: Coroutine[Any, Any, LabReport]
) -> LabReport | None:
    start = asyncio.create_task(starting, name="start")
    waiting = asyncio.create_task(stopped.wait(), name="interrupt")
    try:
        await asyncio.wait([start, waiting], return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
            await asyncio.wait([start])
        return None if start.cancelled() else start.result()
    finally:
        start.cancel()
        waiting.cancel()
