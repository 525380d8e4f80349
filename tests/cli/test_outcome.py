"""What a command ends with: what is shown, and the exit code."""

import json

import pytest

from rigctl.cli.exits import FAILED, OK, UNREACHABLE
from rigctl.cli.outcome import Outcome, code_of, finish, merged, start_failure
from rigctl.errors import Refused, RigError, RigsFailed, Unreachable
from rigctl.messages import ExpRef

from .reporting import degraded, lab, rig, stream

REF = ExpRef.parse("2024-01-01_1_subject")


def one_rig(**more):
    streams = {"amp": stream(), "buttons": stream(required=False)}
    return lab(eeg=rig(streams=streams, **more))


def test_all_well_is_0():
    assert code_of(one_rig()) == OK


@pytest.mark.parametrize(
    ("name", "code"), [("amp", FAILED), ("buttons", OK), ("no such stream", FAILED)]
)
def test_only_what_is_required_fails_by_being_degraded(name, code):
    assert code_of(one_rig(conditions=(degraded(name),))) == code
    assert code_of(one_rig(conditions=(degraded(name),), required=False)) == OK


def test_only_a_required_rig_fails_by_being_out_of_reach():
    assert code_of(lab(a=rig(reachable=False))) == UNREACHABLE
    assert code_of(lab(a=rig(reachable=False, required=False))) == OK


def ended(capsys, outcome):
    with pytest.raises(SystemExit) as caught:
        finish(outcome, as_json=True)
    return caught.value.code, capsys.readouterr()


def test_a_report_is_shown_although_something_failed(capsys):
    error = RigsFailed({"eeg": Unreachable("no echo")})
    code, said = ended(capsys, Outcome(one_rig(), error))
    assert code == UNREACHABLE
    assert json.loads(said.out)["rigs"]["eeg"]["status"] == "RUNNING"
    assert said.err == "rigctl: eeg: no echo\n"


def test_the_code_of_an_interrupt_stands(capsys):
    assert ended(capsys, Outcome(lab(a=rig(reachable=False)), code=130))[0] == 130


def test_a_rig_that_does_not_run_after_start_is_named():
    found = start_failure(lab(eeg=rig("STOPPED"), good=rig(exp_ref=str(REF))), REF)
    assert found
    assert str(found) == f"eeg: it was started, but is not RUNNING with {REF}: it is STOPPED"


def test_what_a_rig_does_not_tell_is_said_and_fails_nothing(capsys):
    assert start_failure(lab(old=rig("CONNECTED", dialect="iblutil")), REF) is None
    assert capsys.readouterr().err == "old: not told whether it runs\n"


def test_errors_of_several_commands_are_one_with_each_rigs_first():
    first, second, other = RigError("first"), RigError("second"), RigError("other")
    both = merged(RigsFailed({"a": first}), None, RigsFailed({"a": second, "b": other}))
    assert isinstance(both, RigsFailed)
    assert both.errors == {"a": first, "b": other}
    assert merged(None, None) is None
    refused = Refused("no")
    assert merged(refused, RigsFailed({"a": first})) is refused
