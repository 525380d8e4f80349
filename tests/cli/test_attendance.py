"""Who runs what was started on it, from one report to the next."""

from rigctl.cli.attendance import Attendance
from rigctl.messages import ExpRef
from rigctl.reports import Condition

from .reporting import lab, rig

REF = ExpRef.parse("2024-01-01_1_subject")
RUNS, IDLE, GONE = rig(exp_ref=str(REF)), rig("CONNECTED"), rig(None, reachable=False)
COMES_BACK = rig("CONNECTED", conditions=(Condition("DEGRADED", "", "coming back"),))


def seen(*reports):
    """Take up reports; return what was said of each, and who took them up."""
    attendance = Attendance(REF)
    return [list(attendance.see(report)) for report in reports], attendance


def test_nothing_is_said_while_all_run():
    said, attendance = seen(lab(a=RUNS), lab(a=RUNS))
    assert said == [[], []]
    assert attendance.failure is None
    assert not attendance.is_over


def test_who_leaves_is_told_once_with_what_it_was_at_first():
    said, attendance = seen(lab(a=RUNS, b=rig("STOPPED")), lab(a=RUNS, b=IDLE))
    assert said == [[f"b: it was started, but is not RUNNING with {REF}: it is STOPPED"], []]
    assert str(attendance.failure) == said[0][0]
    assert not attendance.is_over


def test_who_comes_back_has_not_failed():
    said, attendance = seen(lab(a=RUNS, b=COMES_BACK), lab(a=RUNS, b=RUNS))
    assert said[1] == ["b: it is RUNNING again"]
    assert attendance.failure is None


def test_who_does_not_answer_or_tell_may_run_on():
    silent = rig("CONNECTED", dialect="iblutil")
    for report in (lab(a=GONE, b=RUNS), lab(a=GONE), lab(a=silent)):
        said, attendance = seen(report)
        assert said == [[]]
        assert attendance.failure is None
        assert not attendance.is_over


def test_who_has_left_and_does_not_answer_any_more_has_left():
    _, attendance = seen(lab(a=RUNS, b=IDLE), lab(a=RUNS, b=GONE))
    assert "it is CONNECTED" in str(attendance.failure)


def test_it_is_over_when_nobody_runs_it_and_all_tell_so():
    optional = rig("CONNECTED", required=False)
    assert seen(lab(a=IDLE, b=optional))[1].is_over
    assert seen(lab(a=IDLE, b=rig(exp_ref="2024-01-01_2_other")))[1].is_over
    for other in (RUNS, GONE, COMES_BACK, rig(exp_ref=str(REF), required=False)):
        assert not seen(lab(a=IDLE, b=other))[1].is_over


def test_who_is_not_required_may_leave():
    said, attendance = seen(lab(a=RUNS, b=rig("STOPPED", required=False)))
    assert said == [[]]
    assert attendance.failure is None
