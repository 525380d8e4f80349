"""The desk: one experiment on all rigs of a lab, or on none.

From: `cli`, `web`.  To: `controller.services`.
"""

import asyncio
import logging
import secrets
from importlib.metadata import version
from types import TracebackType
from typing import Self

import msgspec

from rigctl.config import Lab
from rigctl.controller.lab import connect
from rigctl.controller.report import lab_report, rig_report
from rigctl.controller.services import Replies, failure
from rigctl.controller.start import Start
from rigctl.controller.survey import check_survey
from rigctl.controller.telling import Errors, tell
from rigctl.messages import PROTOCOL_VERSION, ExpRef, Json, Message, Status
from rigctl.net import verbs
from rigctl.reports import Handshake, LabReport

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
        self._token = secrets.token_hex(8)  # by which rigs know what this controller began

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.services.close()

    async def report(self) -> LabReport:
        """Ask every rig what it has to say; a rig that does not answer is a finding, no error."""
        return self._report(*await self._ask(None))

    async def start(self, exp_ref: ExpRef) -> LabReport:
        """Bring every rig to RUNNING, or none: what was begun is undone if a required rig fails.

        It is undone, too, when this is cancelled; `undone` tells then what came of that.

        Raises:
            RigsFailed: required rigs are out of reach, refused or failed; the note says what was
                done about the others.
            Refused: a rig that leads the synchronisation has another reference, or two entries
                of the lab file are one rig.
        """
        self.undone = "nothing was begun"
        start = Start(self.lab, self.services, await self._survey(exp_ref), self._token)
        try:
            await start.run(exp_ref)
            return await self.report()
        except asyncio.CancelledError:
            self.undone = await start.undo("an interrupt")
            raise

    async def init(self, exp_ref: ExpRef | None) -> Replies:
        """Have all rigs get ready.

        Raises:
            RigsFailed: required rigs failed; the others stay as they are.
        """
        named = {"exp_ref": str(exp_ref)} if exp_ref else {}
        return await self._require(verbs.init_message({**named, "by": self._token}))

    async def stop(self, *, immediately: bool = False) -> Replies:
        """Stop all rigs that can be reached; errors as `init`."""
        return await self._require(verbs.stop_message(None, immediately))

    async def cleanup(self) -> Replies:
        """Have all rigs that can be reached release devices and seal files; errors as `init`."""
        return await self._require(verbs.cleanup_message())

    async def _survey(self, exp_ref: ExpRef) -> LabReport:
        """Ask all rigs before anything is changed."""
        replies, errors = await self._ask(exp_ref)
        if failed := self._required(errors):
            raise failure(failed, note="nothing was started: the other rigs are as they were")
        report = self._report(replies, errors)
        check_survey(report, exp_ref)
        return report

    async def _ask(self, exp_ref: ExpRef | None) -> tuple[Replies, Errors]:
        message = verbs.info_message(Status.CONNECTED, self._handshake(exp_ref))
        return await tell(self.services, message, self.services)

    async def _require(self, message: Message) -> Replies:
        replies, errors = await tell(self.services, message, self.services, reverse=True)
        if failed := self._required(errors):
            raise failure(failed, replies)
        for name, error in errors.items():
            log.warning("%s, which is not required: %s", name, error)
        return replies

    def _required(self, errors: Errors) -> Errors:
        return {name: e for name, e in errors.items() if self.lab.rigs[name].required}

    def _report(self, replies: Replies, errors: Errors) -> LabReport:
        return lab_report(
            {
                name: rig_report(rig, self.lab, errors.get(name) or replies[name])
                for name, rig in self.services.items()
            }
        )

    def _handshake(self, exp_ref: ExpRef | None) -> Json:
        """Return our half of the fields that are exchanged before INIT."""
        fields = Handshake(
            exp_ref=str(exp_ref) if exp_ref else None,
            master=True,
            rig_version=version("rigctl"),
            spec_version=PROTOCOL_VERSION,
        )
        ours: Json = msgspec.to_builtins(fields)
        return ours
