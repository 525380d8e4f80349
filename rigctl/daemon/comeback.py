"""What a daemon does about the state in which the one before it was killed, as a table (pure).

From: the journal's standing.  To: `daemon.returning`, which carries it out.

    status         nothing    INIT      START       END, INTERRUPT   CLEANUP      <- was under way
    CONNECTED      NOTHING    UNDONE    UNDONE      UNDONE           UNDONE
    INITIALIZED    AGAIN      AGAIN     SET_ASIDE   STOPPED          SEALED
    RUNNING        GOES_ON    GOES_ON   GOES_ON     STOPPED          SEALED
    STOPPED        STOPPED    STOPPED   STOPPED     STOPPED          SEALED

What was begun and had not come to its end is ended, never tried a second time; what had come to
its end is brought about again.
"""

from enum import Enum

from rigctl.daemon.states import CLEANUP, END, INIT, INTERRUPT, START
from rigctl.messages import Event, Status


class Return(Enum):
    """What is done about it, and the status that it leads to."""

    NOTHING = "CONNECTED: there is nothing to do"
    UNDONE = "CONNECTED: what was begun ended with the daemon, and that is said"
    AGAIN = "INITIALIZED: sources are opened, and the lab's hooks called, again"
    SET_ASIDE = "CONNECTED: the session that never came to run is set aside"
    GOES_ON = "RUNNING: the session is recovered and goes on"
    STOPPED = "STOPPED: the session is recovered and waits for its clean-up"
    SEALED = "CONNECTED: the session is recovered and sealed"


_STEPS = (None, INIT, START, END, INTERRUPT, CLEANUP)
_N, _U, _A, _D = Return.NOTHING, Return.UNDONE, Return.AGAIN, Return.SET_ASIDE
_G, _T, _S = Return.GOES_ON, Return.STOPPED, Return.SEALED
_ROWS = {
    Status.CONNECTED: (_N, _U, _U, _U, _U, _U),
    Status.INITIALIZED: (_A, _A, _D, _T, _T, _S),
    Status.RUNNING: (_G, _G, _G, _T, _T, _S),
    Status.STOPPED: (_T, _T, _T, _T, _T, _S),
}
TABLE: dict[tuple[Status, Event | None], Return] = {
    (status, step): way
    for status, row in _ROWS.items()
    for step, way in zip(_STEPS, row, strict=True)
}
"""Status and the step that was under way -> what is done."""

LEADS_TO = {
    Return.NOTHING: Status.CONNECTED,
    Return.UNDONE: Status.CONNECTED,
    Return.AGAIN: Status.INITIALIZED,
    Return.SET_ASIDE: Status.CONNECTED,
    Return.GOES_ON: Status.RUNNING,
    Return.STOPPED: Status.STOPPED,
    Return.SEALED: Status.CONNECTED,
}
"""The status that it leads to where it succeeds."""
