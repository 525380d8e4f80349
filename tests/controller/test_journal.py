"""What is journaled, where, and what happens where it cannot be."""

import logging
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from rigctl.controller import Desk
from rigctl.controller import journal as journals
from rigctl.controller.goals import Aim, Ended, Goal, Standing, State, Verb, presumed
from rigctl.controller.journal import Command, Journal, journal_path
from rigctl.database import Database
from rigctl.errors import JournalError, RigsFailed
from rigctl.messages import Event, ExpRef
from rigctl.net import verbs
from rigctl.processes import ProcessId

from .living import living, statuses
from .rigs import lab_of, refusing, rigs, saying

REF = ExpRef.parse("2024-01-01_1_subject")
START = Command(Verb.START, Goal(Aim.RUNNING, str(REF), "token"), ("a",), Standing())
AGAIN = Command(Verb.START, Goal(Aim.RUNNING, "another", "other"), ("a",), Standing())
ASKED = {"a": verbs.init_message({"exp_ref": str(REF)})}


def lab(tmp_path, served=None):
    found = lab_of(tmp_path, served or {})
    return replace(found, go_after_s=0.01, state_dir=tmp_path / "state")


def rows(lab, sql):
    with closing(sqlite3.connect(journal_path(lab))) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def journal(tmp_path):
    with closing(Journal.open(lab(tmp_path))) as journal:
        yield journal


@pytest.fixture
def told():
    """The warnings of the controller."""
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger = logging.getLogger("rigctl.controller")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_a_new_journal_wants_nothing(journal):
    assert journal.state() == State()


def test_a_command_is_under_way_until_it_has_ended(journal):
    number, telling = journal.begin_telling(START, ASKED)
    (cut,) = journal.state().not_ended
    assert (cut.verb, cut.goal, cut.rigs, cut.undoing) == (START.verb, START.goal, ("a",), False)
    assert ProcessId(cut.pid, cut.pid_start) == ProcessId.current()
    journal.outcome(telling, {"a": [None]}, {})
    journal.undo(number)
    assert journal.state().not_ended[0].undoing
    journal.end(number, Ended())
    assert journal.state().not_ended == ()
    assert presumed(journal.state()) == Standing(START.goal)


def test_the_later_command_says_what_is_wanted(journal):
    first = journal.begin(START)
    second = journal.begin(replace_goal(Goal(Aim.STOPPED, str(REF))))
    journal.end(second, Ended())
    journal.end(first, Ended())
    assert presumed(journal.state()).goal.aim is Aim.STOPPED


def test_what_was_wanted_before_the_oldest_command_is_kept(journal):
    before = Standing(START.goal)
    journal.end(journal.begin(msgspec.structs.replace(AGAIN, before=before)), Ended(done=False))
    assert presumed(journal.state()) == before


def replace_goal(goal):
    return Command(Verb.STOP, goal, ("a",), Standing())


def test_old_commands_are_forgotten(tmp_path, journal, monkeypatch):
    monkeypatch.setattr(journals, "_KEPT", 3)
    for _ in range(10):
        _, telling = journal.begin_telling(START, ASKED)
        journal.outcome(telling, {"a": [None]}, {})
    counts = [rows(lab(tmp_path), f"SELECT count(*) FROM {t}") for t in ("commands", "tellings")]
    assert counts == [[(3,)], [(3,)]]
    assert rows(lab(tmp_path), "SELECT count(*) FROM outcomes") == [(3,)]


def test_a_long_reply_is_kept_in_part(tmp_path, journal):
    _, telling = journal.begin_telling(START, ASKED)
    journal.outcome(telling, {"a": ["x" * 1_000_000]}, {"b": RuntimeError("y" * 1_000_000)})
    kept = rows(lab(tmp_path), "SELECT length(reply), length(error) FROM outcomes")
    assert all(20_000 <= (reply or error) < 21_000 for reply, error in kept)


def test_where_it_lies(tmp_path, monkeypatch):
    plain = replace(lab(tmp_path), state_dir=None)
    for name in ("RIGCTL_STATE", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    assert journal_path(plain).parent == tmp_path / "home/rigctl"
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/service:{tmp_path}/more")
    assert journal_path(plain).parent == tmp_path / "service"
    monkeypatch.setenv("RIGCTL_STATE", str(tmp_path / "env"))
    assert journal_path(plain).parent == tmp_path / "env"
    assert journal_path(lab(tmp_path)).parent == tmp_path / "state"


def test_two_labs_of_one_name_have_two_journals_and_odd_names_are_no_folders(tmp_path):
    one = replace(lab(tmp_path), name="../a b/c")
    other = replace(one, path=tmp_path / "another.yaml")
    assert journal_path(one) != journal_path(other)
    assert journal_path(one).parent == journal_path(other).parent == tmp_path / "state"


async def test_each_intent_and_each_outcome_of_a_start_is_kept(tmp_path):
    async with living("a", "b") as (served, lives), Desk(lab(tmp_path, served)) as desk:
        lives["b"].broken[Event.EXPSTART] = refusing("no sample")
        with pytest.raises(RigsFailed):
            await desk.start(REF)
    found = rows(lab(tmp_path, served), "SELECT event FROM tellings ORDER BY id")
    assert [event for (event,) in found] == ["EXPINIT", "EXPSTART", "EXPINTERRUPT", "EXPCLEANUP"]
    sql = "SELECT rig, error FROM outcomes WHERE telling = 2 ORDER BY rig"
    assert rows(lab(tmp_path, served), sql) == [("a", None), ("b", "Refused: no sample")]
    assert rows(lab(tmp_path, served), "SELECT undoing, ended_unix_s > 0 FROM commands") == [(1, 1)]
    token, exp_ref = desk_token(served["a"]), str(REF)
    goal = rows(lab(tmp_path, served), "SELECT goal FROM commands")[0][0]
    assert token in goal
    assert exp_ref in goal


def desk_token(rig):
    return next(m.args[0]["by"] for m in rig.heard if m.event is Event.EXPINIT)


def unusable(tmp_path):
    """Have the journal's folder be a file."""
    (tmp_path / "state").write_text("")


async def test_a_start_that_cannot_be_journaled_is_refused_and_changes_nothing(tmp_path):
    unusable(tmp_path)
    async with living("a") as (served, lives), Desk(lab(tmp_path, served)) as desk:
        with pytest.raises(JournalError, match=r"cannot be opened: .*nothing was done.*state_dir"):
            await desk.start(REF)
        with pytest.raises(JournalError):
            await desk.init(REF)
    assert served["a"].events == []
    assert statuses(lives) == {"a": "CONNECTED"}


async def test_status_stop_and_cleanup_go_on_without_a_journal_and_say_so(tmp_path, told):
    unusable(tmp_path)
    async with living("a") as (served, lives), Desk(lab(tmp_path, served)) as desk:
        await desk.services.start(str(REF), {"by": "x"})
        assert (await desk.report()).rigs["a"].status == "RUNNING"
        assert not told
        await desk.stop()
        assert statuses(lives) == {"a": "STOPPED"}
        await desk.cleanup()
        assert statuses(lives) == {"a": "CONNECTED"}
    assert len([text for text in told if "going on without it" in text]) == 2
    assert "nothing was done" not in "".join(told)


def failing_at(monkeypatch, number):
    """Have the disk be full from the n-th write on."""
    write, count = Database.write, iter(range(1, 1000))

    def full(self, *statements):
        if next(count) >= number:
            raise JournalError("the disk is full")
        return write(self, *statements)

    monkeypatch.setattr(Database, "write", full)


async def test_a_start_whose_go_cannot_be_journaled_is_undone(tmp_path, monkeypatch, told):
    failing_at(monkeypatch, 3)
    async with living("a") as (served, lives), Desk(lab(tmp_path, served)) as desk:
        with pytest.raises(JournalError, match="the disk is full; rolled back: a"):
            await desk.start(REF)
    assert Event.EXPSTART not in served["a"].events
    assert statuses(lives) == {"a": "CONNECTED"}
    assert len([text for text in told if "going on" in text]) == 1


async def test_a_stop_whose_journal_fails_on_the_way_is_carried_out(tmp_path, monkeypatch, told):
    async with living("a") as (served, lives), Desk(lab(tmp_path, served)) as desk:
        await desk.start(REF)
        failing_at(monkeypatch, 1)
        await desk.stop()
    assert statuses(lives) == {"a": "STOPPED"}
    assert "the disk is full" in told[0]


async def test_another_controller_in_the_middle_of_a_command_is_told_of(
    tmp_path, told, another_process
):
    with closing(Journal.open(lab(tmp_path))) as journal:
        journal.begin(START)
    pid = another_process.pid
    with closing(sqlite3.connect(journal_path(lab(tmp_path)))) as connection, connection:
        connection.execute("UPDATE commands SET pid = ?, pid_start = 0", (pid,))
    async with living("a") as (served, _), Desk(lab(tmp_path, served)) as desk:
        await desk.stop()
    assert f"another controller, process {pid}, is in the middle of `rigctl start`" in told[0]


async def test_nothing_is_journaled_of_questions(tmp_path):
    async with rigs({"a": {Event.EXPINFO: saying()}}) as served:
        async with Desk(lab(tmp_path, served)) as desk:
            await desk.report()
    assert not journal_path(lab(tmp_path)).exists()


def test_only_its_user_may_read_it(tmp_path, journal):
    assert Path(journal_path(lab(tmp_path))).stat().st_mode & 0o077 == 0
    assert os.access(journal_path(lab(tmp_path)), os.R_OK)
