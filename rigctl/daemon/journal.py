"""The rig's journal: where it stands and which commands it has executed, beyond its own life.

From: `daemon.rig` (the standing), `net.communicator` (the commands, as its `Ledger`).
To: ``<rig>.db`` in the folder of state; read once, by the next daemon's start.

    standing     one row: the status, the step under way, the session, what came with the commands
    executed     a row per command id: begun (no answer yet), then with its answer
    alive        one row: when the daemon last lived, by the wall clock
    floors       by a sender's epoch: all numbers up to this one count as seen, their rows are gone

Every row is on the disk before what it tells of goes on.  The newest `KEPT` commands are kept, the
answers of the newest `ANSWERS` of them, and none of more than `ANSWER_BYTES`: a repeat of a command
whose answer is not kept is told that its result is unknown, and never executes it again.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from rigctl.daemon.standing import Standing
from rigctl.daemon.states import State
from rigctl.database import Database, Statement
from rigctl.errors import BadReference, JournalError
from rigctl.messages import Event, ExpRef, Status
from rigctl.net.outputs import MessageId

KEPT = 2000
ANSWERS = 256
ANSWER_BYTES = 64 * 1024
FLOORS = 256

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS standing (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        status TEXT NOT NULL, doing TEXT NOT NULL, exp_ref TEXT NOT NULL, path TEXT NOT NULL,
        owner TEXT NOT NULL, init_data TEXT NOT NULL, start_data TEXT NOT NULL,
        abandon TEXT NOT NULL, since_unix_s REAL)""",
    """CREATE TABLE IF NOT EXISTS executed (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        epoch TEXT NOT NULL, seq INTEGER NOT NULL, event INTEGER NOT NULL,
        unix_s REAL NOT NULL, answer BLOB, UNIQUE (epoch, seq))""",
    """CREATE TABLE IF NOT EXISTS floors (
        epoch TEXT PRIMARY KEY, seq INTEGER NOT NULL, number INTEGER NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS alive (id INTEGER PRIMARY KEY CHECK (id = 1), unix_s REAL)",
)
_ALIVE = "INSERT OR REPLACE INTO alive VALUES (1, ?)"
_READ_STANDING = (
    "SELECT status, doing, exp_ref, path, owner, init_data, start_data, abandon, since_unix_s "
    "FROM standing"
)
_WRITE_STANDING = "INSERT OR REPLACE INTO standing VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BEGUN = "INSERT OR IGNORE INTO executed (epoch, seq, event, unix_s) VALUES (?, ?, ?, ?)"
_ANSWERED = "UPDATE executed SET answer = ? WHERE epoch = ? AND seq = ?"
_TRIM: tuple[Statement, ...] = (
    (
        "UPDATE executed SET answer = NULL WHERE number = (SELECT max(number) FROM executed) - ?",
        (ANSWERS,),
    ),
    (
        "INSERT INTO floors SELECT epoch, max(seq), max(number) FROM executed "
        "WHERE number <= (SELECT max(number) FROM executed) - ? GROUP BY epoch "
        "ON CONFLICT (epoch) DO UPDATE SET seq = max(seq, excluded.seq), number = excluded.number",
        (KEPT,),
    ),
    ("DELETE FROM executed WHERE number <= (SELECT max(number) FROM executed) - ?", (KEPT,)),
    (
        "DELETE FROM floors WHERE epoch NOT IN "
        "(SELECT epoch FROM floors ORDER BY number DESC LIMIT ?)",
        (FLOORS,),
    ),
)


class Journal:
    """One rig's journal; made by `open`.

    Args:
        database: the file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: set[MessageId] = set()

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open a journal, and make it where there is none.

        Raises:
            JournalError: it cannot be read or written.
        """
        return cls(Database.open(path, _SCHEMA, durable=True))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def standing(self) -> Standing:
        """Return where the rig stood when this was last written, and until when if it ran.

        Raises:
            JournalError: it cannot be read, or not by this version.
        """
        rows = self._database.read(_READ_STANDING)
        try:
            return self._last_held(_standing(rows[0])) if rows else Standing()
        except (KeyError, BadReference, ValueError, msgspec.DecodeError) as error:
            raise JournalError(
                f"the journal {self._database.path} says what this version does not know "
                f"({error!r}): move it away"
            ) from error

    def stand(self, standing: Standing) -> None:
        """Write where the rig stands now.

        Raises:
            JournalError: it cannot be written.
        """
        self._database.write((_WRITE_STANDING, _row(standing)))

    def live(self) -> None:
        """Write that its rig is alive now.

        Raises:
            JournalError: it cannot be written.
        """
        self._database.refresh((_ALIVE, (time.time(),)))

    def _last_held(self, standing: Standing) -> Standing:
        """Return a standing that runs with when it was last known to."""
        since = standing.since_unix_s
        if standing.state.status is not Status.RUNNING or since is None:
            return standing
        lives = self._database.read("SELECT unix_s FROM alive")
        return replace(standing, since_unix_s=max([since, *(unix_s for (unix_s,) in lives)]))

    def begun(self, id: MessageId, event: Event) -> None:
        """As `Ledger.begun`."""
        self._database.write((_BEGUN, (*id, int(event), time.time())), *_TRIM)
        self._open.add(id)

    def answered(self, id: MessageId, answer: bytes) -> None:
        """As `Ledger.answered`; what was not `begun` is passed over."""
        if id not in self._open:
            return
        self._open.discard(id)
        if len(answer) <= ANSWER_BYTES:
            self._database.write((_ANSWERED, (answer, *id)))

    def entries(self) -> Iterator[tuple[MessageId, bytes | None]]:
        """Yield the commands that are kept, oldest first; None where no answer is known.

        Raises:
            JournalError: they cannot be read.
        """
        for epoch, seq, answer in self._database.read(
            "SELECT epoch, seq, answer FROM executed ORDER BY number"
        ):
            yield (epoch, seq), answer

    def floors(self) -> list[MessageId]:
        """Return, for each epoch of which rows are gone, the highest number among them.

        Raises:
            JournalError: they cannot be read.
        """
        rows = self._database.read("SELECT epoch, seq FROM floors ORDER BY number")
        return [(epoch, seq) for epoch, seq in rows]


def _row(standing: Standing) -> tuple[Any, ...]:
    state = standing.state
    return (
        state.status.name,
        standing.doing.label if standing.doing else "",
        str(state.exp_ref or ""),
        str(standing.path or ""),
        standing.owner,
        msgspec.json.encode(standing.init_data).decode(),
        msgspec.json.encode(standing.start_data).decode(),
        standing.abandon,
        standing.since_unix_s,
    )


def _standing(row: tuple[Any, ...]) -> Standing:
    status, doing, exp_ref, path, owner, init_data, start_data, abandon, since_unix_s = row
    return Standing(
        State(Status[status], ExpRef.parse(exp_ref) if exp_ref else None),
        Event[doing] if doing else None,
        Path(path) if path else None,
        owner,
        msgspec.json.decode(init_data),
        msgspec.json.decode(start_data),
        abandon,
        since_unix_s,
    )
