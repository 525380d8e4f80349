"""From figures to conditions: a stream that does not do what it should shows, no other does."""

import msgspec
import pytest

from rigctl.daemon.health import STALL_S, conditions
from rigctl.messages import Status
from rigctl.reports import Condition, StreamReport

WELL = StreamReport(
    device="rda",
    required=True,
    recorded=True,
    situation="samples come",
    lost=False,
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
    failure="",
)


def figures(**changes: object) -> StreamReport:
    return msgspec.structs.replace(WELL, **changes)


def found(**changes: object) -> list[str]:
    """The reasons why a running rig with one such stream is not well."""
    told = conditions(Status.RUNNING, {"amp": figures(**changes)})
    assert all((one.condition, one.stream) == ("DEGRADED", "amp") for one in told)
    return [one.reason for one in told]


def test_a_stream_that_flows_is_well() -> None:
    assert found() == []


def test_known_gaps_are_counted_but_are_no_condition() -> None:
    assert found(gaps=3, missing_samples=500, overruns=1) == []


def test_a_stall_shows_within_two_seconds() -> None:
    assert STALL_S < 2
    assert found(age_s=STALL_S - 0.01) == []
    assert found(age_s=STALL_S + 0.1) == [f"no sample for {STALL_S + 0.1:.1f} s: samples come"]


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


def test_a_stream_that_is_not_required_is_degraded_as_well() -> None:
    assert len(found(required=False, lost=True)) == 1


def test_a_stream_that_is_not_recorded_is_no_condition() -> None:
    assert found(recorded=False, lost=True, age_s=100.0) == []


@pytest.mark.parametrize("status", set(Status) - {Status.RUNNING})
def test_a_device_matters_only_while_the_rig_runs(status: Status) -> None:
    assert conditions(status, {"amp": figures(lost=True, age_s=100.0)}) == []


@pytest.mark.parametrize("status", Status)
def test_a_failure_shows_until_the_session_is_cleaned_up(status: Status) -> None:
    told = conditions(status, {"amp": figures(failure="disk full")})
    assert bool(told) == (status in (Status.RUNNING, Status.STOPPED))


def test_every_stream_has_its_own() -> None:
    streams = {"a": figures(lost=True, situation="gone"), "b": WELL, "c": figures(failure="full")}
    assert conditions(Status.RUNNING, streams) == [
        Condition("DEGRADED", "a", "gone"),
        Condition("DEGRADED", "c", "not all was recorded: full"),
    ]
