"""The controller's journal of one lab: what was wanted of its rigs, and what came of it.

From: `controller.entry`, before messages are sent and after they are answered.
To: `controller.resume`; a file of its own for each lab file, in the user's folder of state.

    commands   one each: what it is to lead to, what was wanted before it, and what came of it
    tellings   its fan-outs: what each rig is told; written before that is sent
    outcomes   what each rig replied to it

What is wanted follows from all of them (`goals.after`): two controllers at once leave what the
later one wants.
"""

import hashlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import platformdirs

from rigctl.config import Lab
from rigctl.controller.goals import Ended, Goal, Noted, Standing, State, Verb
from rigctl.database import Database, Statement
from rigctl.errors import JournalError
from rigctl.messages import Json, Message
from rigctl.processes import ProcessId

T = TypeVar("T")

_KEPT = 2000
"""How many commands are kept: some 500 experiments of four commands each."""

_MAX_TEXT = 20_000
"""How much is kept of what one telling says, and of a reply."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        verb TEXT NOT NULL, goal TEXT NOT NULL, rigs TEXT NOT NULL, before TEXT NOT NULL,
        pid INTEGER NOT NULL, pid_start INTEGER NOT NULL, begun_unix_s REAL NOT NULL,
        undoing INTEGER NOT NULL DEFAULT 0, ended TEXT, ended_unix_s REAL)""",
    """CREATE TABLE IF NOT EXISTS tellings (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        command INTEGER NOT NULL, event TEXT NOT NULL, data TEXT NOT NULL,
        told_unix_s REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS outcomes (
        telling INTEGER NOT NULL, rig TEXT NOT NULL, reply TEXT, error TEXT,
        answered_unix_s REAL NOT NULL, PRIMARY KEY (telling, rig))""",
    "CREATE INDEX IF NOT EXISTS tellings_of_command ON tellings (command)",
)

_COMMANDS = """SELECT before, verb, goal, rigs, pid, pid_start, undoing, ended
               FROM commands ORDER BY id"""
_PRUNING = (
    """DELETE FROM outcomes WHERE telling IN (SELECT id FROM tellings WHERE command <=
       (SELECT MAX(id) FROM commands) - ?)""",
    "DELETE FROM tellings WHERE command <= (SELECT MAX(id) FROM commands) - ?",
    "DELETE FROM commands WHERE id <= (SELECT MAX(id) FROM commands) - ?",
)
_TELLING = """INSERT INTO tellings (command, event, data, told_unix_s)
              VALUES (COALESCE(?, last_insert_rowid()), ?, ?, ?)"""


class Command(msgspec.Struct, frozen=True):
    """A command that is to be journaled."""

    verb: Verb
    goal: Goal
    rigs: tuple[str, ...]
    before: Standing
    """What was wanted before it."""


class Journal:
    """What is known of a lab's commands; made by `open`.

    Args:
        database: where it is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, lab: Lab) -> Self:
        """Open the journal of a lab; it is made where there is none.

        Raises:
            JournalError: it cannot be opened.
        """
        return cls(Database.open(journal_path(lab), _SCHEMA, durable=True))

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def state(self) -> State:
        """Return all commands, which tell what is wanted.

        Raises:
            JournalError: it cannot be read.
        """
        rows = self._database.read(_COMMANDS)
        if not rows:
            return State()
        return State(_read(rows[0][0], Standing), tuple(_noted(*row) for row in rows))

    def begin(self, command: Command) -> int:
        """Note that a command begins; return its number.

        Raises:
            JournalError: it cannot be written; so for all that write.
        """
        return self._database.write(*_prune(), _beginning(command))

    def begin_telling(self, command: Command, messages: Mapping[str, Message]) -> tuple[int, int]:
        """Note that a command begins with telling rigs something; return the numbers of both."""
        telling = self._database.write(*_prune(), _beginning(command), _telling(None, messages))
        found = self._database.read("SELECT command FROM tellings WHERE id = ?", (telling,))
        return int(found[0][0]), telling

    def tell(self, command: int, messages: Mapping[str, Message]) -> int:
        """Note that a command is about to tell rigs something; return the telling's number."""
        return self._database.write(_telling(command, messages))

    def outcome(
        self, telling: int, replies: Mapping[str, Json], errors: Mapping[str, Exception]
    ) -> None:
        """Note what rigs replied to a telling."""
        now_s = time.time()
        rows: list[tuple[str, str | None, str | None]] = []
        rows += [(name, _shortened(reply), None) for name, reply in replies.items()]
        rows += [(name, None, str(error)[:_MAX_TEXT]) for name, error in errors.items()]
        sql = "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?)"
        self._database.write(*((sql, (telling, *row, now_s)) for row in rows))

    def undo(self, command: int) -> None:
        """Note that what a command began is about to be undone."""
        self._database.write(("UPDATE commands SET undoing = 1 WHERE id = ?", (command,)))

    def end(self, command: int, ended: Ended) -> None:
        """Note that a command has ended, and what came of it."""
        values = (_text(ended), time.time(), command)
        sql = "UPDATE commands SET ended = ?, ended_unix_s = ? WHERE id = ?"
        self._database.write((sql, values))


def journal_path(lab: Lab) -> Path:
    """Return where a lab's journal lies.

    It is in `state_dir` of the lab file, else ``$RIGCTL_STATE``, else ``$STATE_DIRECTORY``, which
    systemd makes, else the user's folder of state; two labs of one name have two journals.
    """
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd.exec(5)
    named = os.environ.get("RIGCTL_STATE") or given
    folder = lab.state_dir or (Path(named) if named else platformdirs.user_state_path("rigctl"))
    digest = hashlib.sha256(os.fsencode(lab.path.resolve())).hexdigest()[:10]
    name = re.sub(r"[^\w.-]", "_", lab.name)[:60]
    return folder / f"{name}-{digest}.db"


def _noted(
    before: str, verb: str, goal: str, rigs: str, pid: int, pid_start: int, *end: Any
) -> Noted:
    undoing, ended = end
    kind = Verb(verb)
    return Noted(
        kind,
        _read(goal, Goal),
        _read(rigs, tuple[str, ...]),
        pid,
        pid_start,
        undoing=bool(undoing),
        undo=_read(before, Standing).undo if kind is Verb.RESUME else (),
        ended=None if ended is None else _read(ended, Ended),
    )


def _beginning(command: Command) -> Statement:
    process = ProcessId.current()
    sql = """INSERT INTO commands (verb, goal, rigs, before, pid, pid_start, begun_unix_s)
             VALUES (?, ?, ?, ?, ?, ?, ?)"""
    values = (str(command.verb), _text(command.goal), _text(command.rigs), _text(command.before))
    return sql, (*values, process.pid, process.start, time.time())


def _telling(command: int | None, messages: Mapping[str, Message]) -> Statement:
    """Return what notes a telling, of the command just inserted if none is named."""
    event = next(iter(messages.values())).event.label
    data = _shortened({name: message.args for name, message in messages.items()})
    return _TELLING, (command, event, data, time.time())


def _prune() -> tuple[Statement, ...]:
    return tuple((sql, (_KEPT - 1,)) for sql in _PRUNING)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _shortened(value: object) -> str:
    """Return what nobody but people will read."""
    text = _text(value)
    return text if len(text) <= _MAX_TEXT else _text(text[:_MAX_TEXT])


def _read(text: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise JournalError(f"the journal holds what this version cannot read: {error}") from error
