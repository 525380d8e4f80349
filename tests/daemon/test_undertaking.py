"""What may be ended before its time is ended, and leaves nothing behind."""

import asyncio

import pytest

from rigctl.daemon.undertaking import Undertaking
from rigctl.errors import Refused


async def test_its_result_is_returned() -> None:
    doing = Undertaking()
    assert await doing.carry("a sum", asyncio.sleep(0, 3)) == 3
    assert not doing.is_under_way and not doing.end()


async def test_what_is_ended_is_refused() -> None:
    doing = Undertaking()
    asked = asyncio.create_task(doing.carry("a wait", asyncio.Event().wait()))
    await asyncio.sleep(0)
    assert doing.is_under_way and doing.end()
    with pytest.raises(Refused, match="a wait was interrupted"):
        await asked
    assert not doing.is_under_way
