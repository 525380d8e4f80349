"""Which rigs still run what was started on them, from one report to the next.

From: `cli.run`, which asks the rigs again and again.  To: what it says, and its exit code.
"""

from collections.abc import Iterator

from rigctl.controller.survey import is_silent, not_running, runs
from rigctl.errors import RigsFailed, Unreachable
from rigctl.messages import ExpRef
from rigctl.reports import LabReport, RigReport


class Attendance:
    """Keeps who of the required rigs has left an experiment, and why.

    A rig that does not answer may run on: that is a matter of the report, not of this.

    Args:
        exp_ref: the experiment.
    """

    def __init__(self, exp_ref: ExpRef) -> None:
        self._exp_ref = exp_ref
        self._left: dict[str, Exception] = {}
        self.is_over = False
        """Whether no rig runs it any more, as far as they tell."""

    @property
    def failure(self) -> RigsFailed | None:
        """The rigs that have left it and not come back, each with what it was at first instead."""
        return RigsFailed(self._left) if self._left else None

    def see(self, report: LabReport) -> Iterator[str]:
        """Take up a report; yield what is new, for people."""
        found = not_running(report, self._exp_ref)
        left = {name: e for name, e in found.items() if not isinstance(e, Unreachable)}
        for name in [name for name in self._left if name not in found]:
            del self._left[name]  # such as after a restart of its daemon
            yield f"{name}: it is RUNNING again"
        for name, error in left.items():
            if name not in self._left:
                self._left[name] = error
                yield f"{name}: {error}"
        self.is_over = bool(left) and all(self._has_left(rig) for rig in report.rigs.values())

    def _has_left(self, rig: RigReport) -> bool:
        comes_back = any(not condition.stream for condition in rig.conditions)
        tells = rig.reachable and not is_silent(rig) and not comes_back
        return tells and not runs(rig, str(self._exp_ref))
