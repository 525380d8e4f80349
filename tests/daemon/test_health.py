"""From figures to conditions: a stream that does not do what it should shows, no other does."""

import msgspec
import pytest

from rigctl.daemon.health import (
    FRESH_S,
    STALL_S,
    RecorderLife,
    conditions,
    disk_conditions,
    is_recording,
)
from rigctl.messages import Status
from rigctl.reports import Condition, StreamReport

WELL = StreamReport(
    device="rda",
    required=True,
    recorded=True,
    situation="samples come",
    lost=False,
    flowing=True,
    channels=32,
    rate_hz=1000.0,
    measured_hz=999.9,
    received=52_000,
    age_s=0.02,
    samples=52_000,
    durable_samples=51_000,
    gaps=0,
    missing_samples=0,
    overruns=0,
    durable_age_s=0.9,
    failure="",
)
ALIVE = RecorderLife(flush_s=1.0, silent_s=0.1)


def figures(**changes: object) -> StreamReport:
    return msgspec.structs.replace(WELL, **changes)


def found(recorder: RecorderLife = ALIVE, **changes: object) -> list[str]:
    """The reasons why a running rig with one such stream is not well."""
    told = conditions(Status.RUNNING, {"amp": figures(**changes)}, recorder)
    assert all((one.condition, one.stream) == ("DEGRADED", "amp") for one in told)
    return [one.reason for one in told]


def test_a_stream_that_flows_is_well() -> None:
    assert found() == []


def test_known_gaps_are_counted_but_are_no_condition() -> None:
    assert found(gaps=3, missing_samples=500, overruns=1) == []


def test_a_stall_shows_within_two_seconds() -> None:
    assert STALL_S < 2
    assert found(age_s=STALL_S - 0.01) == []
    assert found(age_s=STALL_S + 0.1) == [f"no sample for {STALL_S + 0.1:.1f} s"]
    assert found(age_s=9.0, flowing=False, situation="paused") == ["no sample for 9.0 s: paused"]


@pytest.mark.parametrize(("rate_hz", "still_well_s", "stalled_s"), [(0.5, 5.9, 6.1), (1, 2.9, 3.1)])
def test_a_slow_stream_may_be_silent_for_three_samples(
    rate_hz: float, still_well_s: float, stalled_s: float
) -> None:
    assert found(rate_hz=rate_hz, age_s=still_well_s) == []
    assert len(found(rate_hz=rate_hz, age_s=stalled_s)) == 1


def test_a_stream_whose_rate_is_not_known_can_stall_too() -> None:
    assert len(found(rate_hz=0.0, age_s=2.0)) == 1


def test_a_stream_that_never_came_says_why() -> None:
    reasons = found(age_s=None, situation="waiting for START", rate_hz=0.0)
    assert reasons == ["no sample yet: waiting for START"]


def test_a_lost_device_shows_at_once() -> None:
    assert found(lost=True, situation="connection reset") == ["connection reset"]


def test_a_recording_that_failed_shows_whatever_the_device_does() -> None:
    assert found(failure="disk full") == ["not all was recorded: disk full"]
    assert found(failure="disk full", lost=True) == ["not all was recorded: disk full"]


def test_samples_that_come_but_are_not_made_safe_show() -> None:
    assert found(durable_age_s=1.0 + STALL_S - 0.01) == []
    assert found(durable_age_s=3.0) == ["nothing was made safe on disk for 3.0 s"]
    patient = RecorderLife(flush_s=10.0)
    assert found(patient, durable_age_s=11.0) == []


def test_a_recorder_that_hangs_shows_within_two_seconds() -> None:
    assert found(RecorderLife(flush_s=10.0, silent_s=STALL_S - 0.01)) == []
    (reason,) = found(RecorderLife(flush_s=10.0, silent_s=STALL_S + 0.1))
    assert "the recorder has not answered for 1.6 s" in reason


def test_what_is_wrong_with_the_device_is_said_first() -> None:
    dead = RecorderLife(flush_s=1.0, silent_s=9.0)
    assert found(dead, lost=True, situation="cable out") == ["cable out"]


def test_a_stream_that_is_not_required_is_degraded_as_well() -> None:
    assert len(found(required=False, lost=True)) == 1


def test_a_stream_that_is_not_recorded_is_no_condition() -> None:
    assert found(recorded=False, lost=True, age_s=100.0) == []


@pytest.mark.parametrize("status", set(Status) - {Status.RUNNING})
def test_a_device_matters_only_while_the_rig_runs(status: Status) -> None:
    dead = RecorderLife(flush_s=1.0, silent_s=100.0)
    streams = {"amp": figures(lost=True, age_s=100.0, durable_age_s=100.0)}
    assert conditions(status, streams, dead) == []


@pytest.mark.parametrize("status", Status)
def test_a_failure_shows_until_the_session_is_cleaned_up(status: Status) -> None:
    told = conditions(status, {"amp": figures(failure="disk full")}, ALIVE)
    assert bool(told) == (status in (Status.RUNNING, Status.STOPPED))


def test_every_stream_has_its_own() -> None:
    streams = {"a": figures(lost=True, situation="gone"), "b": WELL, "c": figures(failure="full")}
    assert conditions(Status.RUNNING, streams, ALIVE) == [
        Condition("DEGRADED", "a", "gone"),
        Condition("DEGRADED", "c", "not all was recorded: full"),
    ]


@pytest.mark.parametrize(
    ("status", "changes", "is_so"),
    [
        (Status.RUNNING, {}, True),
        (Status.RUNNING, {"recorded": False}, True),
        (Status.RUNNING, {"durable_age_s": FRESH_S}, False),
        (Status.STOPPED, {}, False),
    ],
)
def test_a_rig_records_while_samples_become_durable(
    status: Status, changes: dict[str, object], is_so: bool
) -> None:
    assert is_recording(status, {"amp": figures(**changes)}) is is_so


def test_a_wrong_rate_shows_behind_all_that_is_worse() -> None:
    assert found(wrong_hz=899.96) == ["900 samples a second come, not 1000"]
    assert found(wrong_hz=27_000.4, rate_hz=30_000.0) == ["27000 samples a second come, not 30000"]
    assert found(wrong_hz=900.0, age_s=9.0) == ["no sample for 9.0 s"]
    assert found(wrong_hz=900.0, durable_age_s=9.0) == ["nothing was made safe on disk for 9.0 s"]


@pytest.mark.parametrize("status", Status)
def test_a_low_disk_matters_while_the_rig_runs_and_an_end_for_it_until_cleanup(
    status: Status,
) -> None:
    low, ended = disk_conditions(status, "low", ""), disk_conditions(status, "low", "ended")
    assert low == ([Condition("DEGRADED", "disk", "low")] if status is Status.RUNNING else [])
    is_open = status in (Status.RUNNING, Status.STOPPED)
    assert ended == ([Condition("DEGRADED", "disk", "ended")] if is_open else [])
    assert disk_conditions(status, "", "") == []
