"""What is wanted of a lab, and what each command makes of that (pure).

From: `controller.desk`, `controller.resume`.  To: `controller.journal`, which keeps it.

    command    what is wanted once it has ended, or if its controller died in the middle of it
    INIT       that the rigs are INITIALIZED;  else, that what it began is undone
    START      that they are RUNNING;          else, that what it began is undone
    STOP       that none of them is RUNNING with the experiment
    CLEANUP    nothing, once all have been cleaned up
    RESUME     what it found to be wanted; nothing before it counts any more

What is wanted of a lab is never stored: it follows from its commands, in the order in which they
began, and from what came of each.  So one that ends late takes nothing from those after it, and
one that began in its middle and failed takes nothing from it.
"""

import functools
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
    planned_s: float | None = None
    """For how long it is planned to record, where that was said."""


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


class Ended(msgspec.Struct, frozen=True):
    """What came of a command."""

    done: bool = True
    """Whether an INIT or START succeeded."""
    left: tuple[str, ...] = ()
    """The rigs on which something of a START, or for a CLEANUP, is left to be done."""
    undo: tuple[Begun, ...] = ()
    """What a RESUME has left to be undone."""


class Noted(msgspec.Struct, frozen=True):
    """A command as the journal holds it."""

    verb: Verb
    goal: Goal
    rigs: tuple[str, ...]
    pid: int
    pid_start: int
    """The controller, as `streams.processes.ProcessId`."""
    undoing: bool = False
    """Whether its controller was about to undo it."""
    undo: tuple[Begun, ...] = ()
    """What a RESUME found to be undone."""
    ended: Ended | None = None
    """None: it is under way, or its controller has died."""


class State(msgspec.Struct, frozen=True):
    """What a journal says."""

    base: Standing = Standing()
    """What was wanted before the first of the commands."""
    commands: tuple[Noted, ...] = ()
    """In the order in which they began."""

    @property
    def not_ended(self) -> tuple[Noted, ...]:
        """All commands that are under way, or whose controllers have died."""
        return tuple(one for one in self.commands if one.ended is None)

    @property
    def unsettled(self) -> tuple[Noted, ...]:
        """Those of them on which it depends what is wanted."""
        found: list[Noted] = []
        for one in self.commands:
            if _settles_all(one):
                found.clear()
            if one.ended is None:
                found.append(one)
        return tuple(found)


def presumed(state: State) -> Standing:
    """Return what is wanted where nothing is known of commands that have not ended."""
    return functools.reduce(after, state.commands, state.base)


def after(before: Standing, one: Noted) -> Standing:
    """Return what is wanted after a command, presuming the worst of one that has not ended."""
    goal, ended = one.goal, one.ended
    if one.verb in (Verb.INIT, Verb.START):
        if not _is_done(one):
            return given_up(before, goal, ended.left if ended else one.rigs)
        return Standing(goal) if one.verb is Verb.START else initialized(before, goal)
    if one.verb is Verb.RESUME:
        before = Standing(goal, ended.undo if ended else one.undo)
    return brought(before, goal, ended.left) if ended else Standing(goal, before.undo)


def brought(before: Standing, goal: Goal, failed: Collection[str]) -> Standing:
    """Return what is wanted once rigs were brought to a goal, but for those that failed."""
    if goal.aim is Aim.STOPPED:
        return stopped(before, goal)
    return cleaned(before, goal, failed) if goal.aim is Aim.CLEAN else before


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


def _is_done(one: Noted) -> bool:
    return one.ended is not None and one.ended.done


def _settles_all(one: Noted) -> bool:
    """Whether nothing that began before a command counts after it."""
    return one.verb is Verb.RESUME or (one.verb is Verb.START and _is_done(one))
