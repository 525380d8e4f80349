"""Whose is what the rig does: late commands of what was given up, and undoing on the way."""

import asyncio

import pytest

from rigctl.daemon.command import Command
from rigctl.daemon.hooks import HookFailed
from rigctl.daemon.rig import Rig
from rigctl.daemon.states import CLEANUP, INIT, INTERRUPT, START, State
from rigctl.errors import Refused
from rigctl.messages import Event, ExpRef, Json, Status

from .test_rig import REF, Made, made

__all__ = ["made"]

OTHER = ExpRef.parse("2024-01-01_2_subject")


def undoing(by: str) -> tuple[Command, Command]:
    data = {"abandon": "a rig failed", "by": by}
    return Command(INTERRUPT, data=data), Command(CLEANUP, data=data)


class Held:
    """A hook that waits until it is let go."""

    def __init__(self) -> None:
        self.called, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, data: Json) -> None:
        self.called.set()
        await self.go.wait()


async def stopped(made: Made, hook: Held) -> Rig:
    """Return a rig that another controller's experiment was stopped on; cleanup waits."""
    rig = await made.rig()
    await rig.command(Command(START, REF, {"by": "first"}))
    await rig.command(Command(INTERRUPT))
    made.service.on_cleanup = hook  # type: ignore[method-assign]
    return rig


@pytest.mark.parametrize("event", [INIT, START])
async def test_a_command_that_was_given_up_is_not_begun_when_it_comes_late(
    made: Made, event: Event
) -> None:
    rig = await made.rig()
    for command in undoing("gone"):
        await rig.command(command)
    with pytest.raises(Refused, match="came late: its controller has given it up"):
        await rig.command(Command(event, REF, {"by": "gone"}))
    assert rig.state == State()
    await rig.command(Command(event, REF, {"by": "another"}))
    assert rig.state.status is not Status.CONNECTED


async def test_a_start_is_undone_while_what_was_before_it_is_cleaned_up(made: Made) -> None:
    hook = Held()
    rig = await stopped(made, hook)
    start = asyncio.create_task(rig.command(Command(START, OTHER, {"by": "second"})))
    await hook.called.wait()
    interrupt, cleanup = undoing("second")
    interrupting = asyncio.create_task(rig.command(interrupt))
    hook.go.set()
    await interrupting
    with pytest.raises(HookFailed, match="on_cleanup was interrupted"):
        await start
    await rig.command(cleanup)
    assert rig.state == State()
    assert made.session.exists()
    assert not list(made.folder.rglob("*.abandoned-*"))


async def test_a_start_that_waits_for_its_turn_is_not_begun_once_it_was_given_up(
    made: Made,
) -> None:
    hook = Held()
    rig = await stopped(made, hook)
    cleaning = asyncio.create_task(rig.command(Command(CLEANUP)))
    await hook.called.wait()
    start = asyncio.create_task(rig.command(Command(START, OTHER, {"by": "second"})))
    await asyncio.sleep(0)  # it waits now
    with pytest.raises(Refused, match="begun by another controller"):
        await rig.command(undoing("second")[0])
    hook.go.set()
    await cleaning
    with pytest.raises(Refused, match="came late"):
        await start
    assert rig.state == State()
