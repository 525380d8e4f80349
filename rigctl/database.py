"""A small SQLite file that survives the death of its process: what both journals stand on.

From: `controller.journal`, `daemon.journal`.  To: disk, in WAL mode.

Every `write` is one transaction that is with the operating system when it returns: a SIGKILL at
any moment leaves all of it or nothing.  With `durable` it has reached the disk as well, so that a
power cut leaves it, too.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from rigctl.errors import JournalError

_BUSY_S = 5.0
"""How long another process's transaction is waited for; they are a row or two each."""

Statement = tuple[str, Sequence[Any]]
"""SQL and its parameters."""


class Database:
    """One SQLite file; made by `open`.

    Args:
        path: the file.
        connection: to it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, schema: Iterable[str], *, durable: bool = False) -> Self:
        """Open a file, and make it and its folder where they are missing.

        Args:
            path: the file; only this user may read it.
            schema: ``CREATE TABLE IF NOT EXISTS`` statements.
            durable: whether each transaction waits for the disk.

        Raises:
            JournalError: it cannot be opened or written, or is no such file.
        """
        connection = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
            self = cls(path, connection)
            self._prepare(schema, durable)
        except (OSError, sqlite3.Error) as error:
            if connection:
                connection.close()
            why = getattr(error, "strerror", None) or error
            raise JournalError(f"the journal {path} cannot be opened: {why}") from error
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def write(self, *statements: Statement) -> int:
        """Carry out statements as one transaction; return the id of the last row inserted.

        Raises:
            JournalError: nothing of it was written.
        """
        return self._commit(statements)

    def refresh(self, statement: Statement) -> None:
        """As `write`, for what says nothing that is new: it is written again and again.

        Raises:
            JournalError: it was not written.
        """
        self._commit([statement])

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            JournalError: the file cannot be read.
        """
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"the journal {self.path} cannot be read: {error}") from error

    def close(self) -> None:
        """Close it; nothing can be written any more."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _commit(self, statements: Iterable[Statement]) -> int:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                row = 0
                for sql, values in statements:
                    row = self._connection.execute(sql, values).lastrowid or row
                return row
        except sqlite3.Error as error:
            raise JournalError(f"the journal {self.path} cannot be written: {error}") from error

    def _prepare(self, schema: Iterable[str], durable: bool) -> None:
        self._connection.isolation_level = None  # transactions begin where `write` says so
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        for statement in schema:
            self._connection.execute(statement)
