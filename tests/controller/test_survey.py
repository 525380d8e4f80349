"""What rigs say before and after a start, judged."""

import logging

import pytest

from rigctl.controller.survey import check_survey, is_silent, not_running
from rigctl.errors import Refused, Unreachable
from rigctl.messages import ExpRef
from rigctl.reports import LabReport, RigReport

REF = ExpRef.parse("2024-01-01_1_subject")
OTHER = "2024-01-01_2_subject"


def rig(status="RUNNING", exp_ref=str(REF), **more):
    return RigReport(**{"reachable": True, "status": status, "exp_ref": exp_ref} | more)


def lab(**rigs):
    return LabReport(None, rigs)


def test_two_entries_that_are_one_rig_are_refused_by_both_names():
    one = rig(name="eeg", uri="udp://127.0.0.1:11001")
    two = rig(name="eeg", uri="udp://localhost:11001")
    with pytest.raises(Refused, match=r"a \(udp://127.* and b \(udp://localhost.* are one rig"):
        check_survey(lab(a=one, b=two), REF)


def test_rigs_that_do_not_tell_their_names_may_be_many():
    check_survey(lab(a=rig(), b=rig()), REF)


def test_a_rig_with_another_name_than_the_labs_is_warned_of(caplog):
    logger = logging.getLogger("rigctl.controller.survey")
    logger.addHandler(caplog.handler)
    try:
        check_survey(lab(a=rig(name="a"), b=rig(name="c")), REF)
    finally:
        logger.removeHandler(caplog.handler)
    assert {r.getMessage() for r in caplog.records} == {"the lab calls it b, it calls itself c"}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (rig("STOPPED"), f"not RUNNING with {REF}: it is STOPPED with {REF}"),
        (rig("RUNNING", OTHER), f"not RUNNING with {REF}: it is RUNNING with {OTHER}"),
        (rig(None, None, dialect="rigctl"), f"not RUNNING with {REF}: it is None"),
    ],
)
def test_a_rig_that_was_started_and_does_not_run_is_named(said, text):
    wrong = not_running(lab(eeg=said, good=rig()), REF)
    assert list(wrong) == ["eeg"]
    assert text in str(wrong["eeg"])


def test_a_rig_that_was_started_and_is_gone_is_out_of_reach():
    gone = RigReport(error="no echo")
    assert isinstance(not_running(lab(eeg=gone), REF)["eeg"], Unreachable)


def test_a_rig_that_is_not_required_may_do_as_it_likes():
    assert not_running(lab(eeg=rig("STOPPED", required=False)), REF) == {}


@pytest.mark.parametrize("status", [None, "CONNECTED"])
def test_nothing_is_concluded_from_a_rig_that_does_not_tell(status):
    silent = rig(status, None, dialect="iblutil")
    assert is_silent(silent)
    assert not_running(lab(old=silent), REF) == {}


def test_a_rig_of_the_predecessor_that_tells_its_status_is_believed():
    assert not is_silent(rig(dialect="iblutil"))
    assert list(not_running(lab(old=rig("STOPPED", dialect="iblutil")), REF)) == ["old"]
