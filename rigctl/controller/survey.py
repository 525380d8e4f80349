"""What the rigs of a lab say before and after a start, judged.

From: `reports`.  To: `controller.desk`, the command line.
"""

import logging

from rigctl.errors import Refused, RigError, Unreachable
from rigctl.messages import ExpRef, Status
from rigctl.net.echo import Dialect
from rigctl.reports import LabReport, RigReport

log = logging.getLogger(__name__)

_RUNNING = Status.RUNNING.name


def check_survey(report: LabReport, exp_ref: ExpRef) -> None:
    """Check whether an experiment may be started on these rigs.

    Raises:
        Refused: two entries of the lab file are one rig, two rigs lead the synchronisation, or
            the one that leads it has another reference.
    """
    _check_names(report)
    _check_main_sync(report, exp_ref)


def not_running(report: LabReport, exp_ref: ExpRef) -> dict[str, Exception]:
    """Return an error for every required rig that does not run this experiment, by name."""
    return {
        name: _shortfall(name, rig, exp_ref)
        for name, rig in report.rigs.items()
        if rig.required and not is_silent(rig) and not runs(rig, str(exp_ref))
    }


def is_silent(rig: RigReport) -> bool:
    """Whether a rig never tells how it is: the predecessor's say our own status back to us."""
    told = rig.status not in (None, Status.CONNECTED.name)
    return rig.reachable and rig.dialect == Dialect.IBLUTIL and not told


def runs(rig: RigReport, exp_ref: str | None) -> bool:
    """Whether a rig is RUNNING with a reference, with any if None is given."""
    return rig.status == _RUNNING and (exp_ref is None or rig.exp_ref in (None, exp_ref))


def _shortfall(name: str, rig: RigReport, exp_ref: ExpRef) -> Exception:
    if not rig.reachable:
        text = f"it was started, but does not answer any more: {rig.error}"
        return Unreachable(text, name=name, uri=rig.uri)
    reference = f" with {rig.exp_ref}" if rig.exp_ref else ""
    why = "".join(f": {one.reason}" for one in rig.conditions if one.stream == "disk")
    text = f"it was started, but is not RUNNING with {exp_ref}: it is {rig.status}{reference}{why}"
    return RigError(text, name=name, uri=rig.uri)


def _check_names(report: LabReport) -> None:
    """Every entry of the lab is a rig of its own.

    Raises:
        Refused: two reach the same one, such as by ``localhost`` and ``127.0.0.1``.
    """
    seen: dict[str, str] = {}
    for entry, rig in report.rigs.items():
        if rig.name in seen:
            other = seen[rig.name]
            raise Refused(
                f"{other} ({report.rigs[other].uri}) and {entry} ({rig.uri}) are one rig, or two "
                f"of the same name: both call themselves {rig.name}; mend the lab file, or give "
                "each rig a name of its own"
            )
        if rig.name:
            seen[rig.name] = entry
        if rig.name not in ("", entry):
            log.warning("the lab calls it %s, it calls itself %s", entry, rig.name)


def _check_main_sync(report: LabReport, exp_ref: ExpRef) -> None:
    """The reference of the rig that leads the synchronisation stands.

    Raises:
        Refused: there are two such rigs, or theirs is another reference.
    """
    leaders = {name: rig for name, rig in report.rigs.items() if rig.main_sync}
    if len(leaders) > 1:
        raise Refused(f"main_sync is true for {' and '.join(leaders)}: only one rig may lead")
    for name, rig in leaders.items():
        theirs = rig.exp_ref
        if theirs and theirs != str(exp_ref) and rig.status != Status.STOPPED.name:
            raise Refused(
                f"{name} leads the synchronisation with {theirs}, not {exp_ref}: start that, or "
                "clean it up first (rigctl cleanup)"
            )
