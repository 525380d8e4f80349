"""The table of states: what every command means, and that no state is reached but by a step."""

import datetime
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.daemon.states import (
    CLEANUP,
    END,
    INIT,
    INTERRUPT,
    LEADS_TO,
    START,
    TRANSITIONS,
    State,
    after,
    plan,
)
from rigctl.errors import Refused
from rigctl.messages import Event, ExpRef, Status

COMMANDS = (INIT, START, END, INTERRUPT, CLEANUP)
ONE = ExpRef(datetime.date(2024, 1, 1), 1, "one")
OTHER = ExpRef(datetime.date(2024, 1, 1), 2, "other")
CELLS = [(status, command) for status in Status for command in COMMANDS]
ACTIVE = (Status.INITIALIZED, Status.RUNNING)


def state(status: Status, exp_ref: ExpRef | None = ONE) -> State:
    return State() if status is Status.CONNECTED else State(status, exp_ref)


def carried_out(
    start: State, command: Event, exp_ref: ExpRef | None, succeeding: int = 9
) -> list[State]:
    """The states on the way, when only so many steps succeed."""
    states = [start]
    for step in plan(start, command, exp_ref)[:succeeding]:
        states.append(after(states[-1], step, exp_ref))
    return states


def test_the_table_is_whole() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert all(tuple(row) == COMMANDS for row in TRANSITIONS.values())


@pytest.mark.parametrize(("status", "command"), CELLS)
def test_a_command_that_succeeds_leads_to_its_status_or_changes_nothing(
    status: Status, command: Event
) -> None:
    states = carried_out(state(status), command, ONE)
    if len(states) == 1:
        return
    assert states[-1].status is LEADS_TO[command]
    assert states[-1].exp_ref == (None if command is CLEANUP else ONE)


@pytest.mark.parametrize(("status", "command"), CELLS)
def test_every_step_is_itself_a_command_of_the_state_in_which_it_is_taken(
    status: Status, command: Event
) -> None:
    now = state(status)
    for step in plan(now, command, ONE):
        assert TRANSITIONS[now.status][step] == (step,)
        now = after(now, step, ONE)


@pytest.mark.parametrize(("status", "command"), CELLS)
def test_a_repeat_succeeds_and_a_repeat_of_anything_but_cleanup_does_nothing(
    status: Status, command: Event
) -> None:
    done = carried_out(state(status), command, ONE)[-1]
    again = carried_out(done, command, ONE)
    assert again[-1] == done
    assert command is CLEANUP or len(again) == 1


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("exp_ref", [None, ONE])
def test_interrupt_and_cleanup_are_legal_everywhere(status: Status, exp_ref: ExpRef | None) -> None:
    interrupted = carried_out(state(status), INTERRUPT, exp_ref)[-1]
    assert interrupted.status in (Status.CONNECTED, Status.STOPPED)
    assert carried_out(state(status), CLEANUP, exp_ref)[-1] == State()


def test_start_alone_is_a_whole_start() -> None:
    assert plan(State(), START, ONE) == (INIT, START)
    assert plan(state(Status.STOPPED), START, OTHER) == (CLEANUP, INIT, START)


def test_cleanup_of_what_runs_stops_it_first() -> None:
    assert plan(state(Status.RUNNING), CLEANUP, None) == (END, CLEANUP)


# --- references


@pytest.mark.parametrize("status", ACTIVE)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_reference_that_contradicts_is_refused_naming_both_and_what_to_do(
    status: Status, command: Event
) -> None:
    with pytest.raises(Refused) as refused:
        plan(state(status), command, OTHER)
    text = str(refused.value)
    assert str(ONE) in text
    assert str(OTHER) in text
    assert command.label in text
    assert ("rigctl stop" if status is Status.RUNNING else "rigctl cleanup") in text


@pytest.mark.parametrize("status", [Status.CONNECTED, Status.STOPPED])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_rig_that_does_nothing_takes_any_reference(status: Status, command: Event) -> None:
    assert plan(state(status), command, OTHER) == TRANSITIONS[status][command]


@pytest.mark.parametrize("status", Status)
def test_a_start_takes_the_reference_of_init_or_names_its_own(status: Status) -> None:
    if status in ACTIVE:
        assert carried_out(state(status), START, None)[-1] == State(Status.RUNNING, ONE)
    else:  # that of an experiment that is over is not taken again
        with pytest.raises(Refused, match="names no experiment reference"):
            plan(state(status), START, None)


def test_a_start_after_an_init_without_reference_needs_one() -> None:
    initialized = State(Status.INITIALIZED, None)
    with pytest.raises(Refused, match="none was given with EXPINIT"):
        plan(initialized, START, None)
    assert carried_out(initialized, START, ONE)[-1] == State(Status.RUNNING, ONE)


def test_a_stop_keeps_the_reference_until_cleanup() -> None:
    stopped = carried_out(state(Status.RUNNING), END, None)[-1]
    assert stopped == State(Status.STOPPED, ONE)
    assert carried_out(stopped, CLEANUP, None)[-1] == State()


# --- whatever happens

ORDERS = st.lists(
    st.tuples(st.sampled_from(COMMANDS), st.sampled_from([None, ONE, OTHER]), st.integers(0, 3)),
    max_size=30,
)


@given(ORDERS)
def test_a_state_changes_only_by_the_steps_that_succeed(
    orders: Sequence[tuple[Event, ExpRef | None, int]],
) -> None:
    """Each order names a command, a reference, and how many of its steps succeed."""
    now = State()
    for command, exp_ref, succeeding in orders:
        try:
            states = carried_out(now, command, exp_ref, succeeding)
        except Refused:
            continue
        steps = plan(now, command, exp_ref)[:succeeding]
        assert [one.status for one in states[1:]] == [LEADS_TO[step] for step in steps]
        now = states[-1]
        assert (now.status is Status.CONNECTED) <= (now == State())
        assert (now.status is Status.RUNNING) <= (now.exp_ref is not None)


@given(ORDERS)
def test_from_anywhere_an_interrupt_and_a_cleanup_lead_back(
    orders: Sequence[tuple[Event, ExpRef | None, int]],
) -> None:
    now = State()
    for command, exp_ref, succeeding in orders:
        try:
            now = carried_out(now, command, exp_ref, succeeding)[-1]
        except Refused:
            continue
    now = carried_out(now, INTERRUPT, None)[-1]
    assert carried_out(now, CLEANUP, None)[-1] == State()
