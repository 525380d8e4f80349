"""``rigctl serve`` that kills itself at a write of its journal.

Arguments: the number of the write, ``before`` or ``after`` it, and those of ``rigctl serve``.
"""

import itertools
import os
import signal
import sys

from rigctl.cli import main
from rigctl.database import Database, Statement

number, when, *rest = sys.argv[1:]
writes = itertools.count(1)
write = Database.write


def killed_write(self: Database, *statements: Statement) -> int:
    fatal = next(writes) == int(number)
    if fatal and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    row = write(self, *statements)
    if fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return row


Database.write = killed_write  # type: ignore[method-assign]
sys.argv = ["rigctl", "serve", *rest]
main()
