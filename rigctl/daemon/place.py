"""The folder of a rig's state, and its locks: one daemon at a time has them.

From: the rig file, systemd.  To: `daemon.daemon`.

    state folder:          <rig>.db         the journal
                           <rig>.lock       held by the daemon while it lives; says its process id
    .rigctl, by the data:  <rig>.lock       the same: it is here for daemons with other folders
                           <rig>.workers    held by its worker processes as well: where the daemon
                                            was killed they close their files in order, and the
                                            session is theirs until they have ended

The state folder is `state_dir` of the rig file, else ``$STATE_DIRECTORY``, which systemd makes,
else ``.rigctl`` below the data root.  The same rig served by systemd and by hand has two of them,
and one data root.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
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

    def __init__(self, journal: Journal, locks: Sequence[Lock], workers: Lock) -> None:
        self.journal = journal
        self.found = journal.standing()
        """Where the rig stood when the daemon before us ended."""
        self.workers = workers
        self._locks = locks

    @classmethod
    def take(cls, rig: Rig) -> Self:
        """Take the folder of a rig's state.

        Raises:
            ConfigError: another daemon has it, or nothing can be written there.
        """
        folder = state_folder(rig).resolve()
        guard = _guard(rig, folder)
        with contextlib.ExitStack() as opened:
            with _refusing(rig, "state_dir"):
                locks = [_own(folder, rig.name, opened)]
                journal = Journal.open(folder / f"{rig.name}.db")
                opened.callback(journal.close)
            with _refusing(rig, "state_dir" if guard == folder else "data_root"):
                if guard != folder:
                    locks.append(_own(guard, rig.name, opened))
                workers = Lock(guard / f"{rig.name}.workers")
                opened.callback(workers.close)
            with _refusing(rig, "state_dir"):
                place = cls(journal, locks, workers)
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
        for lock in self._locks:
            lock.close()

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


def _guard(rig: Rig, folder: Path) -> Path:
    """Return where the locks by the data lie.

    Without a data root there is nothing to guard, and INIT says best what is wrong with it: the
    state folder does then.
    """
    guard = (rig.data_root / ".rigctl").resolve()
    try:
        guard.mkdir(parents=True, exist_ok=True)
    except OSError:
        return folder
    return guard


def _own(folder: Path, name: str, opened: contextlib.ExitStack) -> Lock:
    """Take the lock that one daemon of a rig has in a folder, which is made.

    Raises:
        JournalError: another one has it, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"{folder} cannot be made: {error.strerror}") from error
    lock = Lock(folder / f"{name}.lock")
    opened.callback(lock.close)
    if not lock.take_now():
        raise JournalError(_held(lock, name))
    lock.write(f"{os.getpid()}\n")
    return lock


def _held(lock: Lock, name: str) -> str:
    """Return who holds a lock that is not ours, for people."""
    by = lock.read()
    if by.isdigit() and not _lives(int(by)):
        return (
            f"the daemon of rig {name} has ended (process {by}), but a process that it started "
            f"holds {lock.path}: fuser {lock.path} names it, end it first"
        )
    return (
        f"a daemon of rig {name} runs already (process {by or 'unknown'}, which holds "
        f"{lock.path}): stop that one first"
    )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is another user's
    return True


@contextlib.contextmanager
def _refusing(rig: Rig, key: str) -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        raise ConfigError(str(rig.path), key, str(error)) from error
