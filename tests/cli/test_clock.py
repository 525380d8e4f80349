"""What ``rigctl clock`` shows, and its exit code."""

import pytest
from rich.console import Console

from rigctl.cli.clock import clock_notes, clocks_table, code_of
from rigctl.cli.exits import FAILED, OK, UNREACHABLE
from rigctl.reports import ClockReport, ClockSurvey, HostClock, RigReport

from .reporting import rig

CHRONY = HostClock(source="chrony", synchronised=True, error_s=0.0004, detail="it follows ntp1")
NOBODY = HostClock(source="kernel", synchronised=False, detail="no time service keeps this clock")
NEAR = ClockReport(0.0012, 0.0001, 3.25, 0.5, 0.0002, 0, 0.05)
FAR = ClockReport(-0.25, 0.0001, None, None, 0.0002, 0, 0.05, over_limit=True)


def survey(**rigs: RigReport) -> ClockSurvey:
    return ClockSurvey(host="desk", host_clock=NOBODY, limit_s=0.05, rigs=rigs)


def shown(found: ClockSurvey, width: int = 300) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(clocks_table(found))
        for line in clock_notes(found):
            console.print(line, soft_wrap=True)
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_a_line_tells_offset_bound_drift_round_trip_and_who_keeps_the_computers_clock():
    lines = shown(survey(eeg=rig(clock=NEAR, host_clock=CHRONY)))
    assert lines == [
        "rig offset drift round trip computer kept by",
        "eeg +1.200 ± 0.100 ms +3.2 ± 0.5 ppm 0.200 ms chrony: synchronised, ± 0.400 ms",
        "this computer kernel: not synchronised",
        "eeg: it follows ntp1",
        "this computer: no time service keeps this clock",
    ]


def test_a_rig_without_a_clock_and_one_out_of_reach_are_said_so():
    found = survey(old=rig(dialect="iblutil"), dead=RigReport(error="nothing listens there"))
    lines = shown(found)
    assert "old: tells no clock: it is spoken to in the dialect iblutil" in lines
    assert "dead: nothing listens there" in lines
    assert "old - - - -" in lines


def test_a_clock_that_jumps_is_told_of():
    jumped = ClockReport(0.0, 0.001, steps=2, limit_s=0.05)
    assert "eeg: its clock, or this computer's, jumped 2 times meanwhile" in shown(
        survey(eeg=rig(clock=jumped))
    )


@pytest.mark.parametrize("required", [True, False])
def test_only_a_required_rig_fails(required):
    assert code_of(survey(eeg=rig(clock=NEAR, required=required))) == OK
    far = survey(eeg=rig(clock=FAR, required=required))
    assert code_of(far) == (FAILED if required else OK)
    assert any("clock_limit is 50 ms" in line for line in shown(far))
    dead = rig(reachable=False, required=required)
    both = survey(eeg=rig(clock=FAR, required=required), dead=dead)
    assert code_of(both) == (UNREACHABLE if required else OK)


def test_a_rig_that_tells_no_clock_fails_nothing():
    assert code_of(survey(old=rig(dialect="iblutil"))) == OK


def test_no_figure_is_cut_off_on_a_narrow_terminal():
    figures = ClockReport(-0.251234, 0.0123456, -12.34, 25.67, 0.0212345, 0, 0.05, over_limit=True)
    text = " ".join(shown(survey(eeg=rig(clock=figures, host_clock=NOBODY)), width=80))
    for figure in ("-251.234 ± 12.346 ms", "-12.3 ± 25.7 ppm", "21.235 ms", "synchronised"):
        assert figure in text
