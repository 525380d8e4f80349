"""What a resume says of rigs: those that are required and fail, those that are not and are away."""

import logging

from rigctl.controller import Desk
from rigctl.controller.goals import Aim
from rigctl.messages import Event

from .living import living
from .rigs import refusing
from .test_resume import REF, done, killed, lab, resumed, start


async def test_a_required_rig_that_fails_is_not_said_to_be_not_required(tmp_path, caplog):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await done(place, start)
        lives["b"].__init__()
        lives["b"].broken[Event.EXPSTART] = refusing("no sample")
        with caplog.at_level(logging.WARNING, logger="rigctl.controller"):
            found = await resumed(place)
        assert list(found.failure.errors) == ["b"]
        assert "going on without b: Refused: no sample" in caplog.text
        assert "not required" not in caplog.text


async def test_a_rig_that_is_not_required_and_away_is_named(tmp_path, monkeypatch):
    async with living("a", "b") as (served, _):
        place = lab(tmp_path, served, b=False)
        await done(place, start, Desk.stop)
        served["b"].script[Event.EXPINFO] = ...
        assert await killed(monkeypatch, place, Desk.cleanup, 1)
        found = await resumed(place)
        assert found.goal.aim is Aim.CLEAN
        assert found.failure is None
        assert found.one_line() == (
            f"{REF} is to be cleaned up (`cleanup` of {REF} was cut short; out of reach: b; "
            "cleaned up: a)"
        )
