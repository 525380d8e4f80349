"""`resume`: after a crash of the controller, to one legal state.

From: `controller.desk`.  To: `controller.reconcile`, which decides; the rigs, which are told.

It journals what it does, so that it may be killed itself and run again.
"""

from collections.abc import Sequence

import msgspec

from rigctl.config import Lab
from rigctl.controller.asking import Asking
from rigctl.controller.entry import Entry
from rigctl.controller.goals import Aim, Begun, Ended, Goal, State, Verb, brought
from rigctl.controller.reconcile import Action, Plan, plan, undo_plan, wanted
from rigctl.controller.scribe import Scribe, is_alive
from rigctl.controller.services import Services
from rigctl.controller.start import Start, new_token
from rigctl.controller.stopping import Stopping
from rigctl.controller.telling import Errors, Telling
from rigctl.controller.undoing import Undoing
from rigctl.errors import Refused, RigError, RigsFailed, Unreachable
from rigctl.messages import ExpRef
from rigctl.reports import LabReport


class Resumed(msgspec.Struct, frozen=True):
    """In what a resume has ended."""

    report: LabReport
    """How the rigs are."""
    goal: Goal
    """What is wanted of them now."""
    told: tuple[str, ...]
    """What was done, for people."""
    failure: RigsFailed | None
    """The required rigs that are not as they are wanted to be."""

    def one_line(self) -> str:
        """Return it for people."""
        what = f"{self.goal.exp_ref or 'the lab'} is"
        states = {
            Aim.NOTHING: "nothing is wanted of the rigs",
            Aim.CLEAN: f"{what} to be cleaned up",
        }
        short = f", but for {', '.join(self.failure.errors)}" if self.failure else ""
        state = states.get(self.goal.aim, f"{what} {self.goal.aim}") + short
        return f"{state} ({'; '.join(self.told) or 'nothing was to be done'})"


class Resume:
    """Brings a lab to what its journal says was wanted.

    Args:
        lab: which rigs there are.
        services: the way to them.
        scribe: who keeps the journal.
    """

    def __init__(self, lab: Lab, services: Services, scribe: Scribe) -> None:
        self._lab = lab
        self._services = services
        self._scribe = scribe
        self._asking = Asking(lab, Telling(services))
        self._told: list[str] = []
        self._errors = Errors()
        self._left: list[Begun] = []

    async def run(self) -> Resumed:
        """Ask every rig for the truth, and do what the journal and the truth mean.

        Raises:
            JournalError: the journal cannot be used.
            Refused: a living controller is in the middle of a command, or has begun one meanwhile.
        """
        state = self._scribe.state()
        _check_dead(state)
        report = await self._asking.report()
        _check_same(state, self._scribe.state())
        standing = wanted(state, report)
        self._say_what_was_cut(state)
        entry = self._scribe.resumed(standing.goal, self._lab.rigs, standing)
        if state.unsettled:
            entry.begin()
        for begun in standing.undo:
            await self._undo(begun, undo_plan(begun, report), report, entry)
        report = await self._asking.report() if standing.undo else report
        todo = plan(standing.goal, report)
        await self._carry_out(standing.goal, todo, report, entry)
        ended = Ended(left=tuple(self._errors), undo=tuple(self._left))
        entry.end(ended)
        report = await self._asking.report() if self._told else report
        goal = brought(standing, standing.goal, ended.left).goal
        return Resumed(report, goal, tuple(self._told), self._failure())

    def _say_what_was_cut(self, state: State) -> None:
        for cut in state.unsettled:
            if cut.verb is Verb.RESUME:
                continue
            of = f" of {cut.goal.exp_ref}" if cut.goal.exp_ref else ""
            self._told.append(f"`{cut.verb}`{of} was cut short")

    async def _undo(self, begun: Begun, todo: Plan, report: LabReport, entry: Entry) -> None:
        self._note_gone(todo, report)
        undoing = Undoing(Telling(self._services, entry), begun.token)
        await undoing.roll_back(_names(todo, Action.UNDO), "its controller died")
        self._told += undoing.told
        self._told += [f"left alone: {_busy(n, report)}" for n in _names(todo, Action.ALONE)]
        for name in undoing.left:
            self._errors[name] = RigError("what was begun on it could not be undone", name=name)
        if left := [*_names(todo, Action.GONE), *undoing.left]:
            self._left.append(Begun(begun.exp_ref, begun.token, tuple(left)))

    async def _carry_out(self, goal: Goal, todo: Plan, report: LabReport, entry: Entry) -> None:
        self._note_gone(todo, report)
        for name in _names(todo, Action.ALONE):
            self._told.append(f"left alone: {_busy(name, report)}")
            if goal.aim is Aim.RUNNING:
                self._errors[name] = RigError(f"left alone: {_busy(name, report)}", name=name)
        self._told += [f"{n}: {Action.SILENT.value}" for n in _names(todo, Action.SILENT)]
        await self._start(goal, _names(todo, Action.START), report, entry)
        stopping = Stopping(Telling(self._services, entry), self._lab.stop_last)
        if names := _names(todo, Action.STOP):
            _, errors = await stopping.stop(names, self._lab.go_after_s)
            self._account("stopped", names, errors)
        if names := _names(todo, Action.CLEAN):
            _, errors = await stopping.clean(names)
            self._account("cleaned up", names, errors)

    async def _start(
        self, goal: Goal, names: Sequence[str], report: LabReport, entry: Entry
    ) -> None:
        """Start rigs again, each by itself: one that fails keeps no other from it."""
        if not names:
            return
        before = {name: report.rigs[name].status for name in names}
        # The former token may have been given up on these very rigs.
        own = msgspec.structs.replace(goal, token=new_token())
        start = Start(Telling(self._services, entry), before, (), own)
        await start.run(ExpRef.parse(goal.exp_ref), None)
        self._account("started again", names, start.failed)
        if start.left:
            self._left.append(Begun(goal.exp_ref, own.token, tuple(start.left)))

    def _account(self, done: str, names: Sequence[str], errors: Errors) -> None:
        good = [name for name in names if name not in errors]
        self._told += [f"{done}: {', '.join(good)}"] if good else []
        self._told += [f"not {done}: {name}: {error}" for name, error in errors.items()]
        self._errors |= errors

    def _note_gone(self, todo: Plan, report: LabReport) -> None:
        for name in _names(todo, Action.GONE):
            said = f"out of reach: {name}"
            if not report.rigs[name].required and said not in self._told:
                self._told.append(said)  # of one that is required the failure tells
            text = str(report.rigs[name].error)
            self._errors[name] = Unreachable(text, name=name, uri=report.rigs[name].uri)

    def _failure(self) -> RigsFailed | None:
        required = {n: e for n, e in self._errors.items() if self._lab.rigs[n].required}
        return RigsFailed(required) if required else None


def _check_dead(state: State) -> None:
    """Check that nobody is about to do what would be undone here.

    Raises:
        Refused: a living controller is in the middle of a command.
    """
    for other in filter(is_alive, state.not_ended):
        raise Refused(
            f"`rigctl {other.verb}` is still under way in process {other.pid}: "
            "wait until it has ended, or end it"
        )


def _check_same(before: State, now: State) -> None:
    """Check that nobody has begun or ended anything while the rigs were asked.

    Raises:
        Refused: another controller has.
    """
    if now != before:
        raise Refused("another controller was at work meanwhile: run `rigctl resume` again")


def _names(todo: Plan, action: Action) -> list[str]:
    return [name for name, needed in todo.items() if needed is action]


def _busy(name: str, report: LabReport) -> str:
    rig = report.rigs[name]
    return f"{name}: it is {rig.status} with {rig.exp_ref}"
