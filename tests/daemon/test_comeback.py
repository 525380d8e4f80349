"""The table of what is done about the state in which a daemon was killed: whole, and legal."""

import pytest

from rigctl.daemon.comeback import LEADS_TO, TABLE, Return
from rigctl.daemon.states import CLEANUP, END, INIT, INTERRUPT, START, TRANSITIONS
from rigctl.daemon.states import LEADS_TO as STEP_LEADS_TO
from rigctl.messages import Event, Status

STEPS = (None, INIT, START, END, INTERRUPT, CLEANUP)
C, N, R, S = Status.CONNECTED, Status.INITIALIZED, Status.RUNNING, Status.STOPPED
POSSIBLE = [
    (status, step)
    for status in Status
    for step in STEPS
    if step is None or TRANSITIONS[status][step] == (step,)
]
"""What a journal can say: a step is under way only in a state of which it is itself a command."""


def test_the_table_is_whole() -> None:
    assert set(TABLE) == {(status, step) for status in Status for step in STEPS}
    assert set(LEADS_TO) == set(Return)


@pytest.mark.parametrize(
    ("status", "step", "way"),
    [
        (C, None, Return.NOTHING),
        (C, INIT, Return.UNDONE),
        (C, CLEANUP, Return.UNDONE),
        (N, None, Return.AGAIN),
        (N, START, Return.SET_ASIDE),
        (N, INTERRUPT, Return.STOPPED),
        (N, CLEANUP, Return.SEALED),
        (R, None, Return.GOES_ON),
        (R, END, Return.STOPPED),
        (R, INTERRUPT, Return.STOPPED),
        (S, None, Return.STOPPED),
        (S, CLEANUP, Return.SEALED),
    ],
)
def test_all_that_can_be_found(status: Status, step: Event | None, way: Return) -> None:
    assert TABLE[status, step] is way


def test_the_cases_above_are_all_that_can_be_found() -> None:
    assert len(POSSIBLE) == 12


@pytest.mark.parametrize("status", Status)
def test_between_steps_the_status_is_brought_about_again(status: Status) -> None:
    assert LEADS_TO[TABLE[status, None]] is status


@pytest.mark.parametrize(("status", "step"), [(s, e) for s, e in POSSIBLE if e is not None])
def test_a_step_that_ends_something_has_ended_it_and_one_that_begins_has_begun_nothing(
    status: Status, step: Event
) -> None:
    expected = Status.CONNECTED if step in (INIT, START) else STEP_LEADS_TO[step]
    assert LEADS_TO[TABLE[status, step]] is expected


@pytest.mark.parametrize("cell", set(TABLE) - {(C, None)})
def test_whatever_was_cut_short_is_told(cell: tuple[Status, Event | None]) -> None:
    assert TABLE[cell] is not Return.NOTHING
