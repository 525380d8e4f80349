"""Whose turn it is, and for how long."""

import asyncio
import time

import pytest

from rigctl.daemon.turns import Turns
from rigctl.errors import Refused


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


async def test_nobody_is_late_while_nobody_has_the_turn() -> None:
    assert Turns().overdue_s == 0


@pytest.mark.parametrize(("within_s", "late_s"), [(None, 30.0), (20.0, 10.0), (60.0, 0.0)])
async def test_who_has_the_turn_is_late_once_its_sender_no_longer_waits(
    clock: list[float], within_s: float | None, late_s: float
) -> None:
    turns = Turns()
    async with turns.turn(turns.place(), "EXPSTART", within_s):
        clock[0] += 30
        assert turns.overdue_s == late_s
    assert turns.overdue_s == 0


async def test_a_turn_that_failed_is_over(clock: list[float]) -> None:
    turns = Turns()
    with pytest.raises(Refused):
        async with turns.turn(turns.place(), "EXPSTART"):
            raise Refused("no")
    clock[0] += 30
    assert turns.overdue_s == 0


async def test_who_waits_for_the_turn_is_not_late(clock: list[float]) -> None:
    turns = Turns()
    async with turns.turn(turns.place(), "EXPSTART", 100):
        waiting = asyncio.create_task(turns.last())
        await asyncio.sleep(0)
        clock[0] += 30
        assert turns.overdue_s == 0
    await waiting
