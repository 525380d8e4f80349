"""What the table shows, and what is said below it."""

import pytest
from rich.console import Console

from rigctl.cli.tables import notes, rigs_table
from rigctl.reports import ClockReport, DiskReport

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


def clock(offset_s: float, bound_s: float, over_limit: bool = True) -> ClockReport:
    return ClockReport(offset_s, bound_s, limit_s=0.05, over_limit=over_limit)


def test_a_clock_over_the_limit_is_warned_of():
    said = notes(lab(eeg=rig(clock=clock(0.25, 0.0002))))
    assert said == [
        "[yellow]eeg: its clock is +250.00 ± 0.20 ms from this computer's; clock_limit is 50 ms[/]"
    ]


def test_a_clock_that_is_hardly_known_is_warned_of():
    said = notes(lab(eeg=rig(clock=clock(0.01, 0.08))))
    assert said == ["[yellow]eeg: its clock is known to ± 80.00 ms only; clock_limit is 50 ms[/]"]


def test_a_clock_within_the_limit_needs_no_word():
    assert notes(lab(eeg=rig(clock=clock(0.01, 0.001, over_limit=False)))) == []
    assert notes(lab(eeg=rig(clock=ClockReport(9.0, 0.001)))) == []


def test_a_rig_that_does_not_tell_its_status_is_shown_so():
    silent = lab(old=rig(None, dialect="iblutil"))
    assert notes(silent) == ["[yellow]old: it does not tell whether it runs[/]"]
    console = Console(width=200)
    with console.capture() as shown:
        console.print(rigs_table(silent))
    assert "not told" in shown.get()


@pytest.mark.parametrize(
    ("status", "does"),
    [("INITIALIZED", "will record to"), ("RUNNING", "records to"), ("STOPPED", "recorded to")],
)
def test_where_a_rig_records_is_told_in_the_right_tense(status, does):
    assert notes(lab(eeg=rig(status, path="/data/1"))) == [f"eeg {does} /data/1"]


def row(**facts):
    """The cells of a rig with one stream."""
    console = Console(width=200)
    with console.capture() as shown:
        console.print(rigs_table(lab(eeg=rig(**facts))))
    return shown.get().splitlines()[1]


def test_the_rate_that_is_measured_stands_beside_the_one_that_is_named():
    assert "900.2 of 1000 Hz x 4" in row(streams={"amp": stream(measured_hz=900.17)})
    fast = stream(rate_hz=30_000.0, measured_hz=29_999.3)
    assert "29999 of 30000 Hz x 4" in row(streams={"amp": fast})
    assert " 1000 Hz x 4" in row(streams={"amp": stream()})


def test_what_was_lost_tells_of_overruns():
    lossy = stream(missing_samples=500, gaps=3, overruns=1)
    assert "500 in 3 (1 overrun)" in row(streams={"amp": lossy})


def test_what_is_free_is_shown_with_how_long_that_lasts():
    disk = DiskReport(78_234_000_000, 10**9, 5400.0)
    assert row(disk=disk).endswith("78.2 GB (1 h 30 min)")
    assert row(disk=DiskReport(78_234_000_000, 10**9, None)).endswith("78.2 GB")
