"""What each command makes of what is wanted."""

import msgspec
import pytest

from rigctl.controller.goals import (
    Aim,
    Begun,
    Ended,
    Goal,
    Noted,
    Standing,
    State,
    Verb,
    cleaned,
    given_up,
    initialized,
    presumed,
    stopped,
    to_clean,
    to_stop,
)

NOTHING = Standing()
RUNNING = Goal(Aim.RUNNING, "ref", "old")
AGAIN = Goal(Aim.RUNNING, "ref", "new")
OTHER = Goal(Aim.RUNNING, "other", "new")
READY = Goal(Aim.INITIALIZED, "ref", "new")
LEFT = Begun("ref", "old", ("a", "b"))


def noted(verb, goal, *left, ended=True, done=True):
    return Noted(verb, goal, ("a",), 1, 1, ended=Ended(done, left) if ended else None)


def cut(verb, goal):
    return noted(verb, goal, ended=False)


def failed(verb, goal, *left):
    return noted(verb, goal, *left, done=False)


@pytest.mark.parametrize(
    ("before", "verb", "goal", "after"),
    [
        (NOTHING, Verb.START, OTHER, Standing(Goal(), (Begun("other", "new", ("a",)),))),
        (NOTHING, Verb.INIT, READY, Standing(Goal(), (Begun("ref", "new", ("a",)),))),
        (Standing(RUNNING), Verb.START, AGAIN, Standing(RUNNING)),
        (Standing(RUNNING), Verb.INIT, READY, Standing(RUNNING)),
        (Standing(RUNNING), Verb.START, OTHER, Standing(RUNNING, (Begun("other", "new", ("a",)),))),
        (
            Standing(RUNNING),
            Verb.STOP,
            Goal(Aim.STOPPED, "ref"),
            Standing(Goal(Aim.STOPPED, "ref")),
        ),
        (Standing(RUNNING), Verb.CLEANUP, Goal(Aim.CLEAN, "ref"), Standing(Goal(Aim.CLEAN, "ref"))),
        (Standing(Goal(), (LEFT,)), Verb.RESUME, RUNNING, Standing(RUNNING)),
    ],
)
def test_what_is_wanted_after_a_command_that_was_cut_short(before, verb, goal, after):
    assert presumed(State(before, (cut(verb, goal),))) == after


def test_without_a_command_under_way_what_is_wanted_stands():
    assert presumed(State(Standing(RUNNING))) == Standing(RUNNING)


def test_a_command_that_ends_late_takes_nothing_from_those_that_began_after_it():
    stop = noted(Verb.STOP, Goal(Aim.STOPPED, "ref"))
    assert presumed(State(NOTHING, (noted(Verb.START, RUNNING), stop))) == Standing(stop.goal)


@pytest.mark.parametrize("verb", [Verb.START, Verb.INIT])
def test_a_command_that_fails_in_the_middle_of_another_takes_nothing_from_that(verb):
    other = failed(verb, OTHER)
    assert presumed(State(NOTHING, (noted(Verb.START, RUNNING), other))) == Standing(RUNNING)
    first = presumed(State(NOTHING, (cut(Verb.START, RUNNING), other)))
    assert first == Standing(Goal(), (Begun("ref", "old", ("a",)),))


def test_what_a_failed_start_has_left_is_to_be_undone_beside_what_runs():
    commands = (noted(Verb.START, RUNNING), failed(Verb.START, OTHER, "b"))
    wanted = Standing(RUNNING, (Begun("other", "new", ("b",)),))
    assert presumed(State(NOTHING, commands)) == wanted


def test_a_resume_counts_for_all_that_began_before_it():
    dead = cut(Verb.START, OTHER)
    resume = Noted(Verb.RESUME, RUNNING, ("a",), 1, 1, undo=(LEFT,))
    state = State(Standing(READY), (dead, resume))
    assert presumed(state) == Standing(RUNNING, (LEFT,))
    assert (state.unsettled, state.not_ended) == ((resume,), (dead, resume))
    ended = msgspec.structs.replace(resume, ended=Ended())
    state = State(Standing(READY), (dead, ended))
    assert presumed(state) == Standing(RUNNING)
    assert (state.unsettled, state.not_ended) == ((), (dead,))


def test_every_command_that_has_not_ended_is_unsettled_until_a_start_succeeds():
    dead, other = cut(Verb.START, OTHER), failed(Verb.START, AGAIN)
    assert State(NOTHING, (dead, other)).unsettled == (dead,)
    assert State(NOTHING, (dead, other, noted(Verb.START, RUNNING))).unsettled == ()


def test_a_start_that_was_undone_leaves_what_was_wanted_before():
    assert given_up(Standing(RUNNING), OTHER, ()) == Standing(RUNNING)


def test_what_waits_to_be_undone_is_bounded():
    standing = NOTHING
    for number in range(100):
        standing = given_up(standing, Goal(Aim.RUNNING, f"ref {number}", "t"), ("a",))
    assert len(standing.undo) == 20
    assert standing.undo[-1].exp_ref == "ref 99"


def test_init_takes_nothing_from_what_runs():
    assert initialized(Standing(RUNNING), READY) == Standing(RUNNING)
    assert initialized(NOTHING, READY) == Standing(READY)


@pytest.mark.parametrize(
    ("goal", "exp_ref"),
    [(RUNNING, "ref"), (READY, "ref"), (Goal(), None), (Goal(Aim.CLEAN, "ref"), None)],
)
def test_a_stop_is_of_what_is_wanted_to_run(goal, exp_ref):
    assert to_stop(Standing(goal)) == Goal(Aim.STOPPED, exp_ref)


def test_a_stop_of_whatever_runs_is_not_repeated_later():
    assert stopped(Standing(Goal(), (LEFT,)), Goal(Aim.STOPPED)) == Standing(Goal(), (LEFT,))
    assert stopped(NOTHING, Goal(Aim.STOPPED, "ref")) == Standing(Goal(Aim.STOPPED, "ref"))


def test_after_a_cleanup_nothing_is_wanted_but_of_the_rigs_that_failed():
    before = Standing(RUNNING, (LEFT,))
    goal = to_clean(before)
    assert cleaned(before, goal, ()) == NOTHING
    assert cleaned(before, goal, ("b",)) == Standing(goal, (Begun("ref", "old", ("b",)),))
    assert cleaned(NOTHING, to_clean(NOTHING), ("b",)) == NOTHING
