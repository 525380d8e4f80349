"""What is to be done after a crash of the controller: what was wanted, and how the rigs are (pure).

From: the journal, the rigs' reports.  To: `controller.resume`, which does it.

    what was wanted      a rig that ...                     is
    any                  does not answer                    GONE
    any                  is busy with another experiment    left ALONE
    RUNNING              runs with it                       left as it is
                         never tells how it is              SILENT, and left as it is
                         does anything else                 STARTed
    STOPPED              runs with it, or never tells       STOPped
    CLEAN                is not CONNECTED                   CLEANed up
    nothing              is whatever it is                  left as it is

Before that, what was begun and is not wanted is undone, on every rig that may have it: one that
says CONNECTED may be in the middle of it.
"""

import functools
from collections.abc import Mapping
from enum import Enum

import msgspec

from rigctl.controller.goals import (
    Aim,
    Begun,
    Ended,
    Goal,
    Noted,
    Standing,
    State,
    Verb,
    after,
)
from rigctl.controller.survey import is_silent, runs
from rigctl.messages import Status
from rigctl.reports import LabReport, RigReport


class Action(Enum):
    """What a rig needs."""

    NONE = "none"
    START = "start"
    STOP = "stop"
    CLEAN = "clean"
    UNDO = "undo"
    ALONE = "left alone"
    SILENT = "not told whether it runs"
    GONE = "out of reach"


Plan = Mapping[str, Action]
"""What each rig needs, by its name."""

_BUSY = (Status.INITIALIZED.name, Status.RUNNING.name)


def wanted(state: State, report: LabReport) -> Standing:
    """Return what is wanted.

    A start that had reached all required rigs when its controller died stands, as if it had ended;
    one that had not is to be undone.  What began after it and failed changes nothing about that.
    """
    judged = (_judged(one, report) for one in state.commands)
    return functools.reduce(after, judged, state.base)


def plan(goal: Goal, report: LabReport) -> Plan:
    """Return what each rig needs for a goal."""
    return {name: _action(goal, rig) for name, rig in report.rigs.items()}


def undo_plan(begun: Begun, report: LabReport) -> Plan:
    """Return what each rig needs on which something may have been begun that is to be undone.

    A rig that the lab file does not name any more is passed over.
    """
    rigs = {name: report.rigs[name] for name in begun.rigs if name in report.rigs}
    return {
        name: Action.GONE
        if not rig.reachable
        else Action.ALONE
        if _is_busy_with_another(rig, begun.exp_ref)
        else Action.UNDO
        for name, rig in rigs.items()
    }


def _judged(one: Noted, report: LabReport) -> Noted:
    """Return a command with what came of it, as far as the rigs tell that."""
    told = one.ended is not None or one.undoing or one.verb not in (Verb.INIT, Verb.START)
    if told or not _is_reached(one.goal, report):
        return one
    return msgspec.structs.replace(one, ended=Ended())


def _is_reached(goal: Goal, report: LabReport) -> bool:
    rigs = [rig for rig in report.rigs.values() if rig.required] or list(report.rigs.values())
    return all(_has_reached(rig, goal) for rig in rigs)


def _has_reached(rig: RigReport, goal: Goal) -> bool:
    ready = rig.status == Status.INITIALIZED.name and rig.exp_ref == goal.exp_ref
    return rig.reachable and (runs(rig, goal.exp_ref) or (goal.aim is Aim.INITIALIZED and ready))


def _action(goal: Goal, rig: RigReport) -> Action:
    if goal.aim in (Aim.NOTHING, Aim.INITIALIZED):
        return Action.NONE
    if not rig.reachable:
        return Action.GONE
    if _is_busy_with_another(rig, goal.exp_ref):
        return Action.ALONE
    match goal.aim:
        case Aim.RUNNING:
            return _to_run(rig, goal)
        case Aim.STOPPED:
            return Action.STOP if is_silent(rig) or runs(rig, goal.exp_ref) else Action.NONE
        case _:
            is_clean = rig.status == Status.CONNECTED.name and not is_silent(rig)
            return Action.NONE if is_clean else Action.CLEAN


def _to_run(rig: RigReport, goal: Goal) -> Action:
    if is_silent(rig):
        return Action.SILENT
    return Action.NONE if runs(rig, goal.exp_ref) else Action.START


def _is_busy_with_another(rig: RigReport, exp_ref: str | None) -> bool:
    return rig.status in _BUSY and None not in (exp_ref, rig.exp_ref) and rig.exp_ref != exp_ref
