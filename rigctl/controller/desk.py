"""The desk: one experiment on all rigs of a lab, or on none.

From: `cli`, `web`.  To: `controller.start`, `controller.stopping`.
"""

import asyncio
import logging
from collections.abc import Collection
from types import TracebackType
from typing import Self

from rigctl.config import Lab
from rigctl.controller.asking import Asking
from rigctl.controller.clocks import clock_data
from rigctl.controller.goals import Aim, Ended, Goal, Verb, to_clean, to_stop
from rigctl.controller.lab import connect
from rigctl.controller.resume import Resume, Resumed
from rigctl.controller.scribe import Scribe
from rigctl.controller.services import Replies, failure
from rigctl.controller.start import Start, new_token
from rigctl.controller.stopping import Stopping
from rigctl.controller.survey import not_running
from rigctl.controller.telling import Errors, Telling
from rigctl.messages import ExpRef, Message
from rigctl.net import verbs
from rigctl.reports import LabReport

log = logging.getLogger(__name__)


class Desk:
    """Drives a lab; used with ``async with``.

    Args:
        lab: the rigs and how to reach them.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.services = connect(lab)
        self.undone = ""
        """What was undone of a start that was cancelled, for people."""
        self._asking = Asking(lab, Telling(self.services))
        self._scribe = Scribe(lab)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.services.close()
        self._scribe.close()

    async def report(self) -> LabReport:
        """Ask every rig what it has to say; a rig that does not answer is a finding, no error."""
        return await self._asking.report()

    @property
    def told(self) -> Collection[str]:
        """The rigs that were told something of the last command."""
        return self._scribe.told

    def shortfall(self, report: LabReport) -> dict[str, Exception]:
        """Return the required rigs that do not run what the journal says is to run, and how."""
        goal = self._scribe.goal()
        if goal.aim is not Aim.RUNNING:
            return {}
        return not_running(report, ExpRef.parse(goal.exp_ref))

    async def start(self, exp_ref: ExpRef, planned_s: float | None = None) -> LabReport:
        """Bring every rig to RUNNING, or none: what was begun is undone if a required rig fails.

        It is undone, too, when this is cancelled; `undone` tells then what came of that.

        Args:
            exp_ref: the experiment.
            planned_s: for how long it is planned to record, so that rigs look whether they have
                room; None: each goes by its rig file.

        Raises:
            RigsFailed: required rigs are out of reach, refused or failed; the note says what was
                done about the others.
            Refused: a rig that leads the synchronisation has another reference, or two entries
                of the lab file are one rig.
            JournalError: it cannot be journaled, so that nothing could undo it after a crash.
        """
        self.undone = "nothing was begun"
        self._scribe.state()
        survey = await self._asking.survey(exp_ref)
        before = {name: rig.status for name, rig in survey.rigs.items() if rig.reachable}
        goal = Goal(Aim.RUNNING, str(exp_ref), new_token(), planned_s)
        entry = self._scribe.entry(Verb.START, lambda _: goal, before, strict=True)
        telling = Telling(self.services, entry)
        start = Start(telling, before, self._required(before), goal)
        done = False
        try:
            await start.run(exp_ref, self.lab.go_after_s)
            report = await self.report()
            done = True
            return report
        except asyncio.CancelledError:
            self.undone = await start.undo("an interrupt")
            raise
        finally:
            entry.end(Ended(done, () if done else tuple(start.left)))

    async def init(self, exp_ref: ExpRef | None) -> Replies:
        """Have all rigs get ready.

        Raises:
            RigsFailed: required rigs failed; the others stay as they are.
            JournalError: as `start`.
        """
        named = {"exp_ref": str(exp_ref)} if exp_ref else {}
        goal = Goal(Aim.INITIALIZED, named.get("exp_ref"), new_token())
        entry = self._scribe.entry(Verb.INIT, lambda _: goal, self.lab.rigs, strict=True)

        def message(name: str) -> Message:
            clock = clock_data(self.services[name])
            return verbs.init_message({**named, "by": goal.token, **clock})

        telling = Telling(self.services, entry)
        replies, errors = await telling.tell(message, self.lab.rigs, strict=True)
        entry.end(Ended(done=not self._required(errors)))
        return self._judge(replies, errors)

    async def stop(self, *, immediately: bool = False) -> Replies:
        """Stop all rigs that can be reached; errors as `init`."""
        entry = self._scribe.entry(Verb.STOP, to_stop, self.lab.rigs, strict=False)
        stopping = Stopping(Telling(self.services, entry), self.lab.stop_last)
        if immediately:
            replies, errors = await stopping.interrupt(self.lab.rigs)
        else:
            replies, errors = await stopping.stop(self.lab.rigs, self.lab.go_after_s)
        entry.end(Ended())
        return self._judge(replies, errors)

    async def cleanup(self) -> Replies:
        """Have all rigs that can be reached release devices and seal files; errors as `init`."""
        entry = self._scribe.entry(Verb.CLEANUP, to_clean, self.lab.rigs, strict=False)
        stopping = Stopping(Telling(self.services, entry), self.lab.stop_last)
        replies, errors = await stopping.clean(self.lab.rigs)
        entry.end(Ended(left=tuple(errors)))
        return self._judge(replies, errors)

    async def resume(self) -> Resumed:
        """Bring the lab to what its journal says was wanted when a controller died.

        Raises:
            JournalError: the journal cannot be used.
            Refused: a living controller is in the middle of a command.
        """
        return await Resume(self.lab, self.services, self._scribe).run()

    def _judge(self, replies: Replies, errors: Errors) -> Replies:
        """Return the replies in the order of the lab file.

        Raises:
            RigsFailed: required rigs failed.
        """
        replies = {name: replies[name] for name in self.lab.rigs if name in replies}
        if failed := {name: errors[name] for name in self._required(errors)}:
            raise failure(failed, replies)
        for name, error in errors.items():
            log.warning("%s, which is not required: %s", name, error)
        return replies

    def _required(self, names: Collection[str]) -> list[str]:
        return [name for name in self.lab.rigs if name in names and self.lab.rigs[name].required]
