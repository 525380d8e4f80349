"""What a lab's rigs say of themselves, and what is known of the way to them.

From: replies to EXPINFO.  To: `reports`, for the command line and the API.
"""

from collections.abc import Mapping, Sequence

import msgspec

from rigctl.config import Lab
from rigctl.controller.clocks import clock_report
from rigctl.controller.survey import is_silent
from rigctl.messages import Json, Status
from rigctl.net import EchoProtocol
from rigctl.reports import Handshake, LabReport, RigReport


def lab_report(rigs: Mapping[str, RigReport]) -> LabReport:
    """Return the report of a lab."""
    references = {rig.exp_ref for rig in rigs.values() if rig.exp_ref}
    return LabReport(references.pop() if len(references) == 1 else None, dict(rigs))


def rig_report(rig: EchoProtocol, lab: Lab, answer: Sequence[Json] | Exception) -> RigReport:
    """Return one rig's report from its answer to EXPINFO, or from why there is none.

    What only repeats our own status says nothing, and is not shown as the rig's.
    """
    failed = isinstance(answer, Exception)
    report = msgspec.structs.replace(
        RigReport() if isinstance(answer, Exception) else _said(answer),
        uri=rig.server_uri,
        reachable=not failed,
        required=lab.rigs[rig.name].required,
        dialect=str(rig.dialect),
        clock=clock_report(rig, lab.clock_limit_s),
        error=str(answer) if failed else None,
    )
    return msgspec.structs.replace(report, status=None) if is_silent(report) else report


def _said(answer: Sequence[Json]) -> RigReport:
    """Read the answer; a rig of the predecessor's knows status and reference at the most."""
    try:
        fields = msgspec.convert(answer[1] if len(answer) > 1 else {}, Handshake)
    except msgspec.ValidationError:
        fields = Handshake()
    if fields.report:
        return msgspec.structs.replace(fields.report, main_sync=fields.main_sync)
    return RigReport(status=_status(answer), exp_ref=fields.exp_ref, main_sync=fields.main_sync)


def _status(answer: Sequence[Json]) -> str | None:
    status = answer[0] if answer else None
    try:
        return Status.parse(status).name if isinstance(status, str | int) else None
    except ValueError:
        return None
