"""What a lab's rigs say of themselves, in the one JSON shape.

From: replies to EXPINFO.  To: the command line, the API.

    {"exp_ref": ..., "rigs": {NAME: {"uri", "reachable", "required", "status", "conditions",
                                     "exp_ref", "path", "clock", "streams", "error"}}}
"""

from collections.abc import Mapping
from typing import Any

from rigctl.messages import Status
from rigctl.net import EchoProtocol

LabReport = dict[str, Any]
RigReport = dict[str, Any]


def lab_report(rigs: Mapping[str, RigReport]) -> LabReport:
    """Return the report of a lab; its reference is the one that its rigs share, if they do."""
    references = {rig["exp_ref"] for rig in rigs.values() if rig["exp_ref"]}
    return {"exp_ref": references.pop() if len(references) == 1 else None, "rigs": dict(rigs)}


def rig_report(rig: EchoProtocol, required: bool, answer: list[Any] | Exception) -> RigReport:
    """Return one rig's report from its answer to EXPINFO, or from why there is none."""
    offset = rig.clock_offset
    report: RigReport = {
        "uri": rig.server_uri,
        "reachable": not isinstance(answer, Exception),
        "required": required,
        "dialect": str(rig.dialect),
        "status": None,
        "conditions": [],
        "exp_ref": None,
        "path": None,
        "clock": {"offset_s": offset.offset_s, "bound_s": offset.bound_s} if offset else None,
        "streams": {},
        "error": str(answer) if isinstance(answer, Exception) else None,
    }
    if not isinstance(answer, Exception):
        report |= _said(answer)
    return report


def is_well(report: LabReport) -> bool:
    """Whether every rig answers and nothing is wrong with any."""
    return all(rig["reachable"] and not rig["conditions"] for rig in report["rigs"].values())


def _said(answer: list[Any]) -> RigReport:
    """Read the answer; a rig of the predecessor's knows status and reference at the most."""
    data = answer[1] if len(answer) > 1 and isinstance(answer[1], dict) else {}
    own = data.get("report")
    if isinstance(own, dict):
        return {key: own[key] for key in _OWN if key in own} | {"main_sync": _main_sync(data)}
    try:
        status = Status.parse(answer[0]).name
    except (ValueError, TypeError, IndexError):
        status = None
    reference = data.get("exp_ref")
    named = reference if isinstance(reference, str) else None
    return {"status": status, "exp_ref": named, "main_sync": _main_sync(data)}


_OWN = ("status", "conditions", "exp_ref", "path", "streams")


def _main_sync(data: Mapping[str, Any]) -> bool:
    return data.get("main_sync") is True
