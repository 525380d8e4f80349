"""What the journal wanted and how the rigs are, to what is to be done."""

import pytest

from rigctl.controller.goals import Aim, Begun, Ended, Goal, Noted, Standing, State, Verb
from rigctl.controller.reconcile import Action, plan, undo_plan, wanted
from rigctl.reports import Condition, LabReport, RigReport

REF, OTHER = "2024-01-01_1_subject", "2024-01-01_2_subject"


def rig(status="RUNNING", exp_ref=REF, **more):
    return RigReport(**{"reachable": True, "status": status, "exp_ref": exp_ref} | more)


RUNS = rig()
READY = rig("INITIALIZED")
IDLE = rig("CONNECTED", None)
STOPPED = rig("STOPPED")
BUSY = rig("RUNNING", OTHER)
BUSY_SOON = rig("INITIALIZED", OTHER)
DONE = rig("STOPPED", OTHER)
GONE = RigReport(error="no echo")
SILENT = rig("CONNECTED", None, dialect="iblutil")
CAME_BACK = rig(conditions=(Condition("RECOVERED", "amp", "its daemon was killed"),))
OLD = rig("RUNNING", None, dialect="iblutil")
ALL = (RUNS, READY, IDLE, STOPPED, BUSY, BUSY_SOON, DONE, GONE, SILENT, CAME_BACK, OLD)

NONE, START, STOP, CLEAN = Action.NONE, Action.START, Action.STOP, Action.CLEAN
ALONE = Action.ALONE
OUT = Action.GONE


@pytest.mark.parametrize(
    ("goal", "actions"),
    [
        (Goal(), [NONE] * 11),
        (Goal(Aim.INITIALIZED, REF), [NONE] * 11),
        (
            Goal(Aim.RUNNING, REF, "t"),
            [NONE, START, START, START, ALONE, ALONE, START, OUT, Action.SILENT, NONE, NONE],
        ),
        (
            Goal(Aim.STOPPED, REF),
            [STOP, NONE, NONE, NONE, ALONE, ALONE, NONE, OUT, STOP, STOP, STOP],
        ),
        (
            Goal(Aim.STOPPED),
            [STOP, NONE, NONE, NONE, STOP, NONE, NONE, OUT, STOP, STOP, STOP],
        ),
        (
            Goal(Aim.CLEAN, REF),
            [CLEAN, CLEAN, NONE, CLEAN, ALONE, ALONE, CLEAN, OUT, CLEAN, CLEAN, CLEAN],
        ),
        (
            Goal(Aim.CLEAN),
            [CLEAN, CLEAN, NONE, CLEAN, CLEAN, CLEAN, CLEAN, OUT, CLEAN, CLEAN, CLEAN],
        ),
    ],
)
def test_what_a_rig_needs(goal, actions):
    report = LabReport(None, {str(index): rig for index, rig in enumerate(ALL)})
    assert list(plan(goal, report).values()) == actions


@pytest.mark.parametrize(
    ("rig", "action"),
    [
        (RUNS, Action.UNDO),
        (READY, Action.UNDO),
        (IDLE, Action.UNDO),  # it may be in the middle of INIT
        (STOPPED, Action.UNDO),
        (DONE, Action.UNDO),
        (SILENT, Action.UNDO),
        (BUSY, ALONE),
        (BUSY_SOON, ALONE),
        (GONE, OUT),
    ],
)
def test_what_is_undone(rig, action):
    begun = Begun(REF, "t", ("a", "no longer in the lab"))
    assert undo_plan(begun, LabReport(None, {"a": rig, "b": RUNS})) == {"a": action}


def state(verb, aim, *, undoing=False):
    return State(commands=(noted(verb, Goal(aim, REF, "t"), undoing=undoing),))


def noted(verb, goal, **more):
    return Noted(verb, goal, ("a", "b"), 1, 1, **more)


STANDS = Standing(Goal(Aim.RUNNING, REF, "t"))
UNDONE = Standing(Goal(), (Begun(REF, "t", ("a", "b")),))


@pytest.mark.parametrize(
    ("rigs", "standing"),
    [
        ({"a": RUNS, "b": RUNS}, STANDS),
        ({"a": RUNS, "b": CAME_BACK}, STANDS),
        ({"a": RUNS, "b": rig("INITIALIZED", required=False)}, STANDS),
        ({"a": RUNS, "b": RigReport(required=False)}, STANDS),
        ({"a": RUNS, "b": READY}, UNDONE),
        ({"a": RUNS, "b": IDLE}, UNDONE),
        ({"a": RUNS, "b": GONE}, UNDONE),
        ({"a": RUNS, "b": BUSY}, UNDONE),
        ({"a": RUNS, "b": SILENT}, UNDONE),
        ({"a": IDLE, "b": IDLE}, UNDONE),
        ({"a": rig(required=False), "b": rig("CONNECTED", None, required=False)}, UNDONE),
    ],
)
def test_a_start_that_was_cut_short_stands_if_it_reached_every_required_rig(rigs, standing):
    assert wanted(state(Verb.START, Aim.RUNNING), LabReport(None, rigs)) == standing


def test_a_start_that_stands_leaves_nothing_to_be_undone_of_earlier_ones():
    cut = state(Verb.START, Aim.RUNNING).commands
    earlier = Standing(Goal(), (Begun(OTHER, "earlier", ("a",)),))
    assert wanted(State(earlier, cut), LabReport(None, {"a": RUNS, "b": OLD})) == STANDS


@pytest.mark.parametrize("verb", [Verb.START, Verb.INIT])
def test_a_start_that_reached_all_rigs_stands_although_others_were_tried_after_it(verb):
    begun = state(Verb.START, Aim.RUNNING).commands
    mistyped = Goal(Aim.RUNNING, OTHER, "other")
    refused = noted(verb, mistyped, ended=Ended(done=False))
    report = LabReport(None, {"a": RUNS, "b": RUNS})
    assert wanted(State(commands=(*begun, refused)), report) == STANDS
    also_dead = noted(Verb.START, mistyped)
    still = Standing(STANDS.goal, (Begun(OTHER, "other", ("a", "b")),))
    assert wanted(State(commands=(*begun, also_dead)), report) == still


def test_a_start_that_was_about_to_be_undone_is_undone_although_all_run():
    report = LabReport(None, {"a": RUNS, "b": RUNS})
    assert wanted(state(Verb.START, Aim.RUNNING, undoing=True), report) == UNDONE


def test_an_init_that_was_cut_short_stands_if_all_are_ready():
    cut = state(Verb.INIT, Aim.INITIALIZED)
    ready = Standing(Goal(Aim.INITIALIZED, REF, "t"))
    assert wanted(cut, LabReport(None, {"a": READY, "b": RUNS})) == ready
    assert wanted(cut, LabReport(None, {"a": READY, "b": IDLE})) == UNDONE
