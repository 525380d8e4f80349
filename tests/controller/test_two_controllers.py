"""Two controllers of one lab, one in the middle of the other: neither takes the other's away."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from rigctl.controller import Desk
from rigctl.controller.asking import Asking
from rigctl.controller.goals import Aim
from rigctl.controller.journal import journal_path
from rigctl.errors import Refused, RemoteError, RigsFailed
from rigctl.messages import Event
from rigctl.net import EchoProtocol

from .living import commands, living, statuses
from .test_resume import ALL_RUN, NOTHING_RUNS, OTHER, REF, done, killed, lab, resumed, start


async def refused_start(place):
    """Start another experiment, by mistake."""
    with pytest.raises(RigsFailed, match="no rig was changed"):
        await done(place, lambda desk: start(desk, OTHER))


async def stands(place, served, lives):
    """Resume, and check that the first experiment runs on untouched."""
    heard = {name: len(rig.heard) for name, rig in served.items()}
    found = await resumed(place)
    assert (found.goal.aim, found.goal.exp_ref) == (Aim.RUNNING, str(REF))
    assert statuses(lives) == ALL_RUN
    assert all(commands(rig, heard[name]) == [] for name, rig in served.items())


async def in_the_middle_of(place, act):
    """Do something in the middle of a start, when all rigs have been told to go."""
    told, go_on = asyncio.Event(), asyncio.Event()
    async with Desk(place) as desk:
        ask = desk.report

        async def asked_later():
            told.set()
            await go_on.wait()
            return await ask()

        desk.report = asked_later
        starting = asyncio.create_task(start(desk))
        await told.wait()
        await act(place)
        go_on.set()
        return await starting


async def test_a_start_that_is_refused_in_the_middle_of_another_takes_nothing_from_it(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await in_the_middle_of(place, refused_start)
        await stands(place, served, lives)


async def test_a_stop_in_the_middle_of_a_start_is_what_is_wanted(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await in_the_middle_of(place, lambda place: done(place, Desk.stop))
        assert (await resumed(place)).goal.aim is not Aim.RUNNING
        assert statuses(lives) == {"a": "STOPPED", "b": "STOPPED"}


@pytest.mark.parametrize("tries", [1, 2])
async def test_a_start_whose_controller_was_killed_stands_although_others_were_tried(
    tmp_path, monkeypatch, tries
):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 4)
        for _ in range(tries):
            await refused_start(place)
        await stands(place, served, lives)
        await stands(place, served, lives)


async def test_a_start_that_was_killed_half_way_is_undone_although_others_were_tried(
    tmp_path, monkeypatch
):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 2)
        await refused_start(place)
        found = await resumed(place)
        assert f"`start` of {REF} was cut short" in found.told
        assert statuses(lives) == NOTHING_RUNS
        assert (await resumed(place)).told == ()


async def test_a_living_controller_is_not_undone_although_another_command_has_ended_since(
    tmp_path, monkeypatch, another_process
):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 3)
        with closing(sqlite3.connect(journal_path(place))) as connection, connection:
            connection.execute("UPDATE commands SET pid = ?, pid_start = 0", (another_process.pid,))
        await refused_start(place)
        with pytest.raises(Refused, match=f"still under way in process {another_process.pid}"):
            await resumed(place)
        assert statuses(lives) == {"a": "INITIALIZED", "b": "INITIALIZED"}


async def test_nothing_is_done_if_a_command_begins_while_the_rigs_are_asked(tmp_path, monkeypatch):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 2)
        ask = Asking.report

        async def after_another_start(asking):
            monkeypatch.setattr(Asking, "report", ask)
            await done(place, start)
            return await ask(asking)

        monkeypatch.setattr(Asking, "report", after_another_start)
        with pytest.raises(Refused, match="another controller was at work meanwhile"):
            await resumed(place)
        assert statuses(lives) == ALL_RUN


async def test_what_is_to_run_and_does_not_is_told_without_a_journal_nothing(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served, b=False)
        async with Desk(place) as desk:
            assert desk.shortfall(await desk.report()) == {}
            assert not journal_path(place).exists()
            await start(desk)
            assert desk.shortfall(await desk.report()) == {}
            for life in lives.values():
                life.__init__()
            lacking = desk.shortfall(await desk.report())
            assert list(lacking) == ["a"]  # the other is not required
            assert f"is not RUNNING with {REF}: it is CONNECTED" in str(lacking["a"])
            await desk.stop()
            assert desk.shortfall(await desk.report()) == {}


async def test_a_journal_that_cannot_be_read_tells_nothing(tmp_path):
    async with living("a") as (served, _):
        place = lab(tmp_path, served)
        journal_path(place).parent.mkdir()
        journal_path(place).write_text("no journal, but a text that is long enough to be read " * 9)
        async with Desk(place) as desk:
            assert desk.shortfall(await desk.report()) == {}


async def test_a_rig_on_which_a_start_was_given_up_is_started_again_all_the_same(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served, b=False)
        served["b"].script[Event.EXPSTART] = ...
        await done(place, start)
        assert statuses(lives) == {"a": "RUNNING", "b": "CONNECTED"}
        assert Event.EXPCLEANUP in served["b"].events  # that start is given up
        served["b"].script[Event.EXPSTART] = lives["b"].carry_out
        assert (await resumed(place)).told == ("started again: b",)
        assert statuses(lives) == ALL_RUN


async def test_what_a_start_that_was_undone_still_has_on_the_way_is_not_begun(
    tmp_path, monkeypatch
):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 2)
        late = next(m for m in served["b"].heard if m.event is Event.EXPINIT)
        await resumed(place)
        async with await EchoProtocol.client(served["b"].server.server_uri) as network:
            with pytest.raises(RemoteError, match="came late: its controller has given it up"):
                await network.request(late)
        assert statuses(lives) == NOTHING_RUNS


async def test_each_start_of_one_desk_has_a_token_of_its_own(tmp_path):
    async with living("a") as (served, lives):
        async with Desk(lab(tmp_path, served)) as desk:
            lives["a"].broken[Event.EXPSTART] = RuntimeError("no sample")
            with pytest.raises(RigsFailed):
                await desk.start(REF)
            lives["a"].broken.clear()
            await desk.start(REF)
        assert statuses(lives) == {"a": "RUNNING"}
