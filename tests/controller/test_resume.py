"""After the death of a controller, to one legal state: in one process, at every write."""

import itertools
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from rigctl.controller import Desk
from rigctl.controller.goals import Aim
from rigctl.controller.journal import journal_path
from rigctl.database import Database
from rigctl.errors import Refused, RigsFailed, Unreachable
from rigctl.messages import Event, ExpRef
from rigctl.net import EchoProtocol, verbs

from .living import commands, living, statuses
from .rigs import lab_of, refusing

REF, OTHER = ExpRef.parse("2024-01-01_1_subject"), ExpRef.parse("2024-01-01_2_subject")
NOTHING_RUNS = {"a": "CONNECTED", "b": "CONNECTED"}
ALL_RUN = {"a": "RUNNING", "b": "RUNNING"}


class Killed(BaseException):
    """The controller is dead: it writes and sends nothing any more."""


def lab(tmp_path, served, **optional):
    found = lab_of(tmp_path, served, **optional)
    return replace(found, go_after_s=0.01, state_dir=tmp_path / "state")


def kill_at(monkeypatch, number, moment):
    """Kill the controller before or after its n-th write to the journal."""
    write, count = Database.write, itertools.count(1)

    def dying(self, *statements):
        turn = next(count)
        if turn > number or (turn == number and moment == "before"):
            raise Killed
        row = write(self, *statements)
        if turn == number:
            raise Killed
        return row

    monkeypatch.setattr(Database, "write", dying)


async def killed(monkeypatch, place, act, number, moment="after"):
    """Do something at a desk that dies on the way; return whether it did."""
    with monkeypatch.context() as patch:
        kill_at(patch, number, moment)
        try:
            async with Desk(place) as desk:
                await act(desk)
        except Killed:
            return True
    return False


async def resumed(place):
    async with Desk(place) as desk:
        return await desk.resume()


async def done(place, *acts):
    async with Desk(place) as desk:
        for act in acts:
            await act(desk)


def start(desk, exp_ref=REF):
    return desk.start(exp_ref)


WRITES = {"start": 5, "stop": 3, "cleanup": 3}
"""How often each command writes, where nothing goes wrong."""
POINTS = [
    (verb, number, moment)
    for verb, count in WRITES.items()
    for number in range(1, count + 1)
    for moment in ("before", "after")
]
ACTS = {"start": start, "stop": Desk.stop, "cleanup": Desk.cleanup}
LEGAL = {
    "start": [NOTHING_RUNS, ALL_RUN],
    "stop": [ALL_RUN, {"a": "STOPPED", "b": "STOPPED"}],
    "cleanup": [{"a": "STOPPED", "b": "STOPPED"}, NOTHING_RUNS],
}
BEFORE = {"start": [], "stop": [start], "cleanup": [start, Desk.stop]}


@pytest.mark.parametrize("verb", WRITES)
async def test_no_write_is_left_out_here(tmp_path, monkeypatch, verb):
    async with living("a", "b") as (served, _):
        place = lab(tmp_path, served)
        await done(place, *BEFORE[verb])
        assert await killed(monkeypatch, place, ACTS[verb], WRITES[verb])
        await done(place, Desk.cleanup, *BEFORE[verb])
        assert not await killed(monkeypatch, place, ACTS[verb], WRITES[verb] + 1)


@pytest.mark.parametrize(("verb", "number", "moment"), POINTS)
async def test_a_controller_killed_at_any_write_leaves_one_legal_state(
    tmp_path, monkeypatch, verb, number, moment
):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await done(place, *BEFORE[verb])
        assert await killed(monkeypatch, place, ACTS[verb], number, moment)
        found = await resumed(place)
        assert found.failure is None, found
        assert statuses(lives) in LEGAL[verb]
        heard = {name: len(rig.heard) for name, rig in served.items()}
        again = await resumed(place)
        assert (again.goal, again.told) == (found.goal, ())
        assert all(commands(rig, heard[name]) == [] for name, rig in served.items())
        await done(place, Desk.cleanup, lambda desk: start(desk, OTHER), Desk.stop, Desk.cleanup)
        assert statuses(lives) == NOTHING_RUNS


@pytest.mark.parametrize("number", range(1, 6))
async def test_a_resume_killed_at_any_write_may_be_run_again(tmp_path, monkeypatch, number):
    for at in itertools.count(1):
        async with living("a", "b") as (served, lives):
            place = replace(lab(tmp_path, served), path=tmp_path / f"{at}.yaml")
            assert await killed(monkeypatch, place, start, number)
            again = await killed(monkeypatch, place, Desk.resume, at)
            found = await resumed(place)
            assert found.failure is None
            assert statuses(lives) in LEGAL["start"]
        if not again:
            break
    assert at > 1 or number == 5  # a start that has ended is all that a resume wants


async def test_without_anything_wanted_the_rigs_are_only_asked(tmp_path):
    async with living("a", "b") as (served, lives):
        await lives_with(served["a"], OTHER)
        found = await resumed(lab(tmp_path, served))
        assert found.goal.aim is Aim.NOTHING
        assert found.one_line() == "nothing is wanted of the rigs (nothing was to be done)"
        assert statuses(lives) == {"a": "RUNNING", "b": "CONNECTED"}
        assert not journal_rows(lab(tmp_path, served))


def journal_rows(place):
    with closing(sqlite3.connect(journal_path(place))) as connection:
        return connection.execute("SELECT verb FROM commands").fetchall()


async def lives_with(rig, exp_ref, token="another's"):
    """Have another controller start a rig."""
    async with await EchoProtocol.client(rig.server.server_uri) as other:
        await other.request(verbs.start_message(exp_ref, {"by": token}))


async def test_a_rig_that_lost_what_it_ran_is_started_again_without_an_instant(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await done(place, start)
        lives["b"].__init__()  # its daemon came back with nothing
        heard = len(served["a"].heard)
        found = await resumed(place)
        assert found.told == ("started again: b",)
        assert statuses(lives) == ALL_RUN
        assert commands(served["a"], heard) == []
        again = served["b"].heard[-2].args[1]
        assert "at" not in again
        assert again["by"] == lives["b"].owner != lives["a"].owner


async def test_a_rig_that_cannot_be_started_again_is_named_and_the_others_stay(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await done(place, start)
        lives["b"].__init__()
        lives["b"].broken[Event.EXPSTART] = refusing("the session exists")
        found = await resumed(place)
        assert list(found.failure.errors) == ["b"]
        assert "the session exists" in str(found.failure)
        assert statuses(lives) == {"a": "RUNNING", "b": "CONNECTED"}
        lives["b"].broken.clear()
        assert (await resumed(place)).failure is None
        assert statuses(lives) == ALL_RUN


async def test_a_rig_that_is_busy_with_another_experiment_is_left_alone_and_named(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await done(place, start)
        lives["b"].__init__()
        await lives_with(served["b"], OTHER)
        found = await resumed(place)
        assert f"b: it is RUNNING with {OTHER}" in str(found.failure)
        await done(place, Desk.stop)
        await lives_with(served["b"], OTHER)
        assert (await resumed(place)).told == (f"left alone: b: it is RUNNING with {OTHER}",)
        assert lives["b"].status == "RUNNING"


async def test_what_another_controller_began_with_the_same_reference_is_not_undone(
    tmp_path, monkeypatch
):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 2)
        lives["b"].__init__()
        await lives_with(served["b"], REF)
        found = await resumed(place)
        assert statuses(lives) == {"a": "CONNECTED", "b": "RUNNING"}
        assert any("left alone: b: this was begun by another" in text for text in found.told)
        assert found.failure is None


async def test_a_rig_out_of_reach_is_undone_when_it_is_back(tmp_path, monkeypatch):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 4)
        assert statuses(lives) == ALL_RUN
        lives["a"].state = type(lives["a"].state)()  # it did not come so far
        answer, served["b"].script[Event.EXPINFO] = served["b"].script[Event.EXPINFO], ...
        found = await resumed(place)
        assert isinstance(found.failure.errors["b"], Unreachable)
        assert statuses(lives) == {"a": "CONNECTED", "b": "RUNNING"}
        served["b"].script[Event.EXPINFO] = answer
        assert (await resumed(place)).failure is None
        assert statuses(lives) == NOTHING_RUNS


async def test_a_second_start_that_is_cut_short_takes_nothing_from_what_runs(tmp_path, monkeypatch):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served, b=False)
        lives["b"].broken[Event.EXPSTART] = refusing("no amplifier")
        await done(place, start)
        assert statuses(lives) == {"a": "RUNNING", "b": "CONNECTED"}
        lives["b"].broken.clear()
        assert await killed(monkeypatch, place, start, 2)
        await resumed(place)
        assert statuses(lives) == ALL_RUN


async def test_a_start_that_was_cut_short_and_repeated_by_hand_is_not_undone(tmp_path, monkeypatch):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 2)
        await done(place, start)
        assert (await resumed(place)).told == ()
        assert statuses(lives) == ALL_RUN


async def test_a_start_of_another_experiment_that_is_cut_short_lets_the_first_one_run(
    tmp_path, monkeypatch
):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await done(place, start)
        assert await killed(monkeypatch, place, lambda desk: start(desk, OTHER), 1)
        found = await resumed(place)
        assert (found.goal.aim, found.goal.exp_ref) == (Aim.RUNNING, str(REF))
        assert statuses(lives) == ALL_RUN


async def test_what_a_failed_roll_back_has_left_is_undone_later(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        lives["b"].broken[Event.EXPSTART] = refusing("no sample")
        lives["a"].broken = {Event.EXPINTERRUPT: RuntimeError("stuck"), Event.EXPCLEANUP: OSError()}
        with pytest.raises(RigsFailed, match="NOT rolled back: a"):
            await done(place, start)
        assert lives["a"].status == "STOPPED"
        lives["a"].broken.clear()
        assert (await resumed(place)).told == ("rolled back: a",)
        assert statuses(lives) == NOTHING_RUNS


async def test_nothing_is_done_while_a_living_controller_is_in_the_middle_of_a_command(
    tmp_path, monkeypatch, another_process
):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        assert await killed(monkeypatch, place, start, 2)
        pid = another_process.pid
        with closing(sqlite3.connect(journal_path(place))) as connection, connection:
            connection.execute("UPDATE commands SET pid = ?, pid_start = 0", (pid,))
        with pytest.raises(Refused, match=f"still under way in process {pid}"):
            await resumed(place)
        another_process.end()
        assert (await resumed(place)).failure is None
        assert statuses(lives) == NOTHING_RUNS


async def test_a_session_that_a_dead_run_has_left_goes_on(tmp_path):
    async with living("a", "b") as (served, lives):
        place = lab(tmp_path, served)
        await done(place, start)
        found = await resumed(place)
        assert found.one_line() == f"{REF} is RUNNING (nothing was to be done)"
        assert statuses(lives) == ALL_RUN
