"""A `rigctl` command that is killed at its n-th write to a journal.

    python -m tests.system.dying N before|after COMMAND ...

Where it writes less often than that, it ends as COMMAND does.
"""

import itertools
import os
import signal
import sys

from rigctl.cli import main
from rigctl.database import Database

_WRITE = Database.write


def die_at(number: int, moment: str) -> None:
    """Have the process killed before or after its n-th write."""
    turns = itertools.count(1)

    def write(self, *statements):
        turn = next(turns)
        if (turn, moment) == (number, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        row = _WRITE(self, *statements)
        if (turn, moment) == (number, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return row

    Database.write = write


if __name__ == "__main__":
    die_at(int(sys.argv[1]), sys.argv[2])
    sys.argv[1:] = sys.argv[3:]
    main()
