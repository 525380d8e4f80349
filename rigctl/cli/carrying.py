"""A command to rigs that ^C and SIGTERM do not leave half told without a word.

From: `cli.control`.  To: `controller.desk`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from rigctl.cli.desk import err
from rigctl.cli.interrupts import Interrupt
from rigctl.cli.outcome import Outcome
from rigctl.controller import Desk
from rigctl.errors import RigctlError

_ENDING = "going on to its end; once more breaks it off, and `rigctl resume` finishes it"
_BROKEN_OFF = "broken off; `rigctl resume` brings them to one state"


async def carry_out(
    desk: Desk,
    command: Callable[[Desk], Coroutine[Any, Any, object]],
    interrupt: Interrupt,
    *,
    to_its_end: bool,
) -> Outcome:
    """Tell the rigs something and return how they are then, also when some have failed.

    Args:
        desk: the rigs.
        command: what they are told.
        interrupt: which comes or not.
        to_its_end: whether an interrupt only has it said how far it is: what ends something is
            better not left half told.
    """
    task = asyncio.create_task(command(desk), name="command")
    waiting = asyncio.create_task(interrupt.came.wait(), name="interrupt")
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            said = _ENDING if to_its_end else _BROKEN_OFF
            err.print(f"{interrupt.label}: {said} ({_told(desk)})", markup=False)
            if not to_its_end:
                task.cancel()
        await asyncio.wait([task])
    finally:
        task.cancel()
        waiting.cancel()
    if task.cancelled():
        return Outcome(await desk.report(), code=interrupt.exit_code)
    error = None
    try:
        task.result()
    except RigctlError as failed:
        error = failed
    return Outcome(await desk.report(), error)


def _told(desk: Desk) -> str:
    told = [name for name in desk.lab.rigs if name in desk.told]
    others = [name for name in desk.lab.rigs if name not in desk.told]
    parts = [("told", told), ("not told", others)]
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)
