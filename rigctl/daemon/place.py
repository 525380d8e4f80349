"""The folder of a rig's state: one daemon at a time has it.

From: the rig file, systemd.  To: `daemon.daemon`.

    <rig>.db         the journal
    <rig>.lock       held by the daemon while it lives; says its process id
    <rig>.workers    held by its worker processes as well: where the daemon was killed they close
                     their files in order, and the session is theirs until they have ended

It is `state_dir` of the rig file, else ``$STATE_DIRECTORY``, which systemd makes, else ``.rigctl``
below the data root.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from rigctl.config import Rig
from rigctl.daemon.journal import Journal
from rigctl.daemon.lock import Lock
from rigctl.errors import ConfigError, JournalError

WORKERS_END_S = 15.0
"""How long the workers of a daemon that was killed may take to close their files."""


class Place:
    """A rig's journal and locks, held from `take` to `close`."""

    def __init__(self, journal: Journal, lock: Lock, workers: Lock) -> None:
        self.journal = journal
        self.found = journal.standing()
        """Where the rig stood when the daemon before us ended."""
        self.workers = workers
        self._lock = lock

    @classmethod
    def take(cls, rig: Rig) -> Self:
        """Take the folder of a rig's state.

        Raises:
            ConfigError: another daemon has it, or nothing can be written there.
        """
        folder = state_folder(rig)
        with contextlib.ExitStack() as opened, _refusing(rig):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise JournalError(f"{folder} cannot be made: {error.strerror}") from error
            lock = Lock(folder / f"{rig.name}.lock")
            opened.callback(lock.close)
            if not lock.take_now():
                by = lock.read() or "unknown"
                raise JournalError(
                    f"a daemon of rig {rig.name} runs already (process {by}, which holds "
                    f"{lock.path}): stop that one first"
                )
            lock.write(f"{os.getpid()}\n")
            workers = Lock(folder / f"{rig.name}.workers")
            opened.callback(workers.close)
            journal = Journal.open(folder / f"{rig.name}.db")
            opened.callback(journal.close)
            place = cls(journal, lock, workers)
            opened.pop_all()
        return place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the next daemon have it."""
        self.journal.close()
        self.workers.close()
        self._lock.close()

    async def wait_for_workers(self) -> None:
        """Return when no process of a daemon before us writes into its session any more.

        Raises:
            JournalError: one still does; nothing of the session was touched.
        """
        if not await self.workers.take(WORKERS_END_S):
            raise JournalError(
                f"workers of a daemon that was killed have not ended after {WORKERS_END_S:.0f} s "
                f"and may still write into its session; fuser {self.workers.path} names them"
            )


def state_folder(rig: Rig) -> Path:
    """Return where a rig's state lies."""
    if rig.state_dir:
        return rig.state_dir
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd.exec(5)
    return Path(given) if given else rig.data_root / ".rigctl"


@contextlib.contextmanager
def _refusing(rig: Rig) -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        raise ConfigError(str(rig.path), "state_dir", str(error)) from error
