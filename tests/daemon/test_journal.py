"""The rig's journal: what was written is there after a kill, and it stays small."""

import contextlib
import datetime
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rigctl.daemon import journal as journals
from rigctl.daemon.journal import ANSWER_BYTES, Journal
from rigctl.daemon.standing import Standing
from rigctl.daemon.states import State
from rigctl.database import Database
from rigctl.errors import JournalError
from rigctl.messages import Event, ExpRef, Status
from rigctl.net.memory import Memory, Seen

REF = ExpRef(datetime.date(2024, 1, 1), 1, "subject")
STANDING = Standing(
    State(Status.RUNNING, REF),
    Event.EXPEND,
    Path("/data/subject/2024-01-01/001/eeg"),
    "token",
    {"exp_ref": str(REF), "arm": True},
    {"light": [1, 2.5, None]},
    "rolled back",
    1.7e9,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "eeg.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal.open(path)
    yield opened
    opened.close()


@pytest.fixture
def quick(path: Path) -> Iterator[Journal]:
    """A journal that does not wait for the disk."""
    opened = Journal(Database.open(path, journals._SCHEMA))
    yield opened
    opened.close()


def again(path: Path) -> Journal:
    return Journal.open(path)


def test_a_rig_that_never_did_anything_is_connected(journal: Journal) -> None:
    assert journal.standing() == Standing()


@pytest.mark.parametrize("standing", [STANDING, Standing()])
def test_where_it_stands_is_read_as_written(
    journal: Journal, path: Path, standing: Standing
) -> None:
    journal.stand(STANDING)
    journal.stand(standing)
    journal.close()
    reopened = again(path)
    assert reopened.standing() == standing
    reopened.close()


def test_only_this_user_may_read_it(journal: Journal, path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0


def test_commands_come_back_with_their_answers_in_the_order_in_which_they_began(
    journal: Journal,
) -> None:
    for seq in (3, 1, 2):
        journal.begun(("desk", seq), Event.EXPINIT)
    journal.answered(("desk", 1), b"[1]")
    assert list(journal.entries()) == [
        (("desk", 3), None),
        (("desk", 1), b"[1]"),
        (("desk", 2), None),
    ]


def test_answers_to_questions_are_passed_over(journal: Journal) -> None:
    journal.answered(("desk", 1), b"[64,0]")
    assert list(journal.entries()) == []


def test_a_command_that_begins_twice_is_one(journal: Journal) -> None:
    for _ in range(2):
        journal.begun(("desk", 1), Event.EXPINIT)
    assert len(list(journal.entries())) == 1


def test_an_answer_that_is_too_large_is_not_kept_and_its_command_counts_as_unknown(
    journal: Journal,
) -> None:
    journal.begun(("desk", 1), Event.EXPINIT)
    journal.answered(("desk", 1), b"x" * (ANSWER_BYTES + 1))
    assert list(journal.entries()) == [(("desk", 1), None)]


def test_it_stays_small_and_what_it_forgets_still_counts_as_seen(
    quick: Journal,
) -> None:
    journal = quick
    for epoch in ("old", "new"):
        for seq in range(1, 1501):
            journal.begun((epoch, seq), Event.EXPSTART)
            journal.answered((epoch, seq), b"[2]")
    kept = dict(journal.entries())
    assert len(kept) == journals.KEPT
    assert sum(answer is not None for answer in kept.values()) == journals.ANSWERS
    assert journal.floors() == [("old", 1000)]
    memory = Memory()
    memory.restore(journal.entries(), journal.floors())
    assert memory.meet(("old", 1)) is Seen.FORGOTTEN
    assert memory.meet(("new", 1500)) is Seen.ANSWERED
    assert memory.answer(("new", 1500)) == b"[2]"
    assert memory.meet(("new", 1501)) is Seen.NEW


def test_epochs_of_which_nothing_is_left_are_bounded(
    quick: Journal,
) -> None:
    journal = quick
    for number in range(journals.KEPT + 2 * journals.FLOORS):
        journal.begun((f"epoch {number}", 1), Event.EXPEND)
    assert len(journal.floors()) == journals.FLOORS
    assert journal.floors()[-1] == (f"epoch {2 * journals.FLOORS - 1}", 1)


def test_a_command_that_was_begun_and_not_answered_is_interrupted_in_the_next_life(
    journal: Journal,
) -> None:
    journal.begun(("desk", 7), Event.EXPEND)
    memory = Memory()
    memory.restore(journal.entries(), journal.floors())
    assert memory.meet(("desk", 7)) is Seen.INTERRUPTED
    assert memory.meet(("desk", 7)) is Seen.INTERRUPTED
    assert memory.meet(("desk", 6)) is Seen.NEW, "it may be late, and was never executed"


def test_what_another_version_wrote_is_named(journal: Journal, path: Path) -> None:
    journal.stand(STANDING)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE standing SET status = 'PAUSED'")
    connection.close()
    with pytest.raises(JournalError, match=f"{path} says what this version does not know.*PAUSED"):
        journal.standing()


def test_what_is_no_journal_is_named(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"x" * 5000)
    with pytest.raises(JournalError, match=f"the journal {path} cannot be opened"):
        Journal.open(path)


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from rigctl.daemon.journal import Journal
from rigctl.messages import Event
journal = Journal.open(Path(sys.argv[1]))
for seq in range(1, 50):
    journal.begun(("desk", seq), Event.EXPINIT)
    journal.answered(("desk", seq), b"[1]")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_all_that_was_written_outlives_a_kill(path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, path], env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    journal = again(path)
    assert dict(journal.entries()) == {("desk", seq): b"[1]" for seq in range(1, 50)}
    journal.close()


def test_a_commands_rows_take_little_time(journal: Journal) -> None:
    """Four durable rows a command; measured 1 ms each on an SSD, tens of it on a slow disk."""
    began_s = time.perf_counter()
    for seq in range(10):
        journal.begun(("desk", seq), Event.EXPINIT)
        journal.stand(STANDING)
        journal.stand(STANDING)
        journal.answered(("desk", seq), b"[1]")
    assert time.perf_counter() - began_s < 5


def test_of_a_rig_that_ran_it_is_known_until_when(tmp_path: Path) -> None:
    path = tmp_path / "eeg.db"
    ran = Standing(State(Status.RUNNING, REF), since_unix_s=time.time() - 3600)
    with contextlib.closing(Journal.open(path)) as journal:
        journal.live()
        journal.stand(replace(ran, since_unix_s=time.time() + 10))
        assert journal.standing().since_unix_s == pytest.approx(time.time() + 10, abs=5)
        journal.stand(ran)
        journal.live()
    with contextlib.closing(Journal.open(path)) as journal:
        assert journal.standing().since_unix_s == pytest.approx(time.time(), abs=5)
        initialised = replace(ran, state=State(Status.INITIALIZED, REF))
        journal.stand(initialised)
        assert journal.standing() == initialised
