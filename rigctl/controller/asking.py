"""What a lab's rigs say when they are asked, all of them and before anything is changed.

From: `controller.desk`, `controller.resume`.  To: `controller.telling`, `controller.report`.
"""

from importlib.metadata import version

import msgspec

from rigctl.config import Lab
from rigctl.controller.clocks import clock_sample
from rigctl.controller.report import lab_report, rig_report
from rigctl.controller.services import failure
from rigctl.controller.survey import check_survey
from rigctl.controller.telling import Errors, Telling
from rigctl.messages import PROTOCOL_VERSION, ExpRef, Message, Status
from rigctl.net import verbs
from rigctl.reports import Handshake, LabReport


class Asking:
    """Asks the rigs of a lab.

    Args:
        lab: which there are, and which are required.
        telling: the way to them.
    """

    def __init__(self, lab: Lab, telling: Telling) -> None:
        self._lab = lab
        self._telling = telling

    async def report(self) -> LabReport:
        """Ask every rig what it has to say; a rig that does not answer is a finding, no error."""
        report, _ = await self._ask(None)
        return report

    async def survey(self, exp_ref: ExpRef) -> LabReport:
        """Ask all rigs whether an experiment may be started on them.

        Raises:
            RigsFailed: required rigs are out of reach.
            Refused: as `check_survey`.
        """
        report, errors = await self._ask(exp_ref)
        if failed := {n: e for n, e in errors.items() if self._lab.rigs[n].required}:
            raise failure(failed, note="nothing was started: the other rigs are as they were")
        check_survey(report, exp_ref)
        return report

    async def _ask(self, exp_ref: ExpRef | None) -> tuple[LabReport, Errors]:
        services = self._telling.services

        def question(name: str) -> Message:
            fields = Handshake(
                exp_ref=str(exp_ref) if exp_ref else None,
                master=True,
                rig_version=version("rigctl"),
                spec_version=PROTOCOL_VERSION,
                clock=clock_sample(services[name]),
            )
            return verbs.info_message(Status.CONNECTED, msgspec.to_builtins(fields))

        replies, errors = await self._telling.tell(question, services)
        reports = {
            name: rig_report(rig, self._lab, errors.get(name) or replies[name])
            for name, rig in services.items()
        }
        return lab_report(reports), errors
