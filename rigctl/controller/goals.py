"""What is wanted of a lab, and what each command makes of that (pure).

From: `controller.desk`, `controller.resume`.  To: `controller.journal`, which keeps it.

    command    what is wanted once it has ended, or if its controller died in the middle of it
    INIT       that the rigs are INITIALIZED;  else, that what it began is undone
    START      that they are RUNNING;          else, that what it began is undone
    STOP       that none of them is RUNNING with the experiment
    CLEANUP    nothing, once all have been cleaned up
    RESUME     what was wanted when it began
"""

from collections.abc import Collection, Sequence
from enum import StrEnum

import msgspec

_MAX_BEGUN = 20
"""How many starts may wait to be undone; the oldest is forgotten first."""


class Verb(StrEnum):
    """A command as people give it."""

    INIT = "init"
    START = "start"
    STOP = "stop"
    CLEANUP = "cleanup"
    RESUME = "resume"


class Aim(StrEnum):
    """Where the rigs are to be."""

    NOTHING = "NOTHING"
    INITIALIZED = "INITIALIZED"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    CLEAN = "CLEAN"


class Goal(msgspec.Struct, frozen=True):
    """Where the rigs are to be, with what."""

    aim: Aim = Aim.NOTHING
    exp_ref: str | None = None
    """None: whatever they have."""
    token: str = ""
    """By which rigs know what was begun for it."""


class Begun(msgspec.Struct, frozen=True):
    """What was begun, and is to be undone."""

    exp_ref: str | None
    token: str
    rigs: tuple[str, ...]
    """Where it may have been begun."""


class Standing(msgspec.Struct, frozen=True):
    """All that is wanted at present."""

    goal: Goal = Goal()
    undo: tuple[Begun, ...] = ()


class UnderWay(msgspec.Struct, frozen=True):
    """A command that has not ended."""

    verb: Verb
    goal: Goal
    rigs: tuple[str, ...]
    undoing: bool
    """Whether its controller was about to undo it."""
    pid: int
    pid_start: int
    """The controller, as `streams.processes.ProcessId`."""


class State(msgspec.Struct, frozen=True):
    """What a journal says."""

    standing: Standing = Standing()
    """What is wanted; before the command under way, if there is one."""
    under_way: UnderWay | None = None


def presumed(state: State) -> Standing:
    """Return what is wanted where nothing is known of a command under way."""
    cut, before = state.under_way, state.standing
    if cut is None:
        return before
    if cut.verb in (Verb.INIT, Verb.START):
        return given_up(before, cut.goal, cut.rigs)
    return Standing(cut.goal, before.undo)


def given_up(before: Standing, goal: Goal, left: Sequence[str]) -> Standing:
    """Return what is wanted after an INIT or START that did not succeed.

    Args:
        before: what was wanted before it.
        goal: what it was to lead to.
        left: the rigs on which what it began may not be undone.
    """
    again = before.goal.exp_ref == goal.exp_ref and before.goal.aim in (Aim.RUNNING, goal.aim)
    if again or not left:
        return before
    begun = Begun(goal.exp_ref, goal.token, tuple(left))
    return Standing(before.goal, (*before.undo, begun)[-_MAX_BEGUN:])


def initialized(before: Standing, goal: Goal) -> Standing:
    """Return what is wanted after an INIT; it takes nothing from what runs."""
    runs = before.goal.aim is Aim.RUNNING and before.goal.exp_ref == goal.exp_ref
    return before if runs else Standing(goal, before.undo)


def to_stop(before: Standing) -> Goal:
    """Return what a STOP is to lead to: with what is wanted to run, or whatever runs."""
    ours = before.goal.aim in (Aim.INITIALIZED, Aim.RUNNING, Aim.STOPPED)
    return Goal(Aim.STOPPED, before.goal.exp_ref if ours else None)


def to_clean(before: Standing) -> Goal:
    """Return what a CLEANUP is to lead to."""
    return Goal(Aim.CLEAN, before.goal.exp_ref)


def stopped(before: Standing, goal: Goal) -> Standing:
    """Return what is wanted after a STOP: what has no name is not stopped again later."""
    return Standing(goal if goal.exp_ref else Goal(), before.undo)


def cleaned(before: Standing, goal: Goal, failed: Collection[str]) -> Standing:
    """Return what is wanted after a CLEANUP: nothing, unless rigs with a known reference failed."""
    again = goal.exp_ref and failed
    return Standing(goal if again else Goal(), undone(before.undo, failed))


def undone(begun: Sequence[Begun], left: Collection[str]) -> tuple[Begun, ...]:
    """Return what still is to be undone once that has happened on all rigs but those left."""
    still = (Begun(b.exp_ref, b.token, tuple(n for n in b.rigs if n in left)) for b in begun)
    return tuple(one for one in still if one.rigs)
