"""What is said below the table."""

from rigctl.cli.tables import notes

from .reporting import degraded, lab, rig, stream

WAITING = stream(flowing=False, situation="cannot connect to 10.0.0.5")


def test_why_a_stream_does_not_flow_is_told_before_it_is_recorded():
    said = notes(lab(eeg=rig("INITIALIZED", streams={"amp": WAITING, "ok": stream()})))
    assert said == ["[dim]eeg: amp: cannot connect to 10.0.0.5[/]"]


def test_nothing_is_expected_of_sources_that_are_not_open():
    assert notes(lab(eeg=rig("CONNECTED", streams={"amp": WAITING}))) == []


def test_a_fault_is_told_once():
    said = notes(lab(eeg=rig(streams={"amp": WAITING}, conditions=(degraded("amp"),))))
    assert said == ["[red]eeg: DEGRADED: amp: no sample yet[/]"]


def test_a_situation_may_hold_brackets():
    odd = stream(flowing=False, situation="[red]")
    assert notes(lab(eeg=rig("INITIALIZED", streams={"amp": odd})))[0].count("\\[red]") == 1
