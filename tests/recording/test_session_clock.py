"""The synchronised clock of a session: steps of the wall clock and restarts change nothing."""

import pytest

from rigctl.recording.events import Event
from rigctl.recording.session import ClockOffset, ClockPair
from rigctl.recording.session_clock import SessionClock

PAIR = ClockPair(1_700_000_000.0, 50.0)


def event(unix_s: float, monotonic_s: float, value: object = None) -> Event:
    return Event(
        writer="recorder",
        sequence=1,
        unix_s=1_700_000_000.0 + unix_s,
        monotonic_s=monotonic_s,
        source="recorder",
        kind="state",
        value=value,
    )


def offset(unix_s: float, offset_s: float, reference: str = "desk") -> ClockOffset:
    return ClockOffset(
        unix_s=1_700_000_000.0 + unix_s, reference=reference, offset_s=offset_s, bound_s=0.001
    )


def since_s(clock: SessionClock, monotonic_s: float, near_s: float | None = None) -> float:
    near = None if near_s is None else 1_700_000_000.0 + near_s
    return clock.unix_s(monotonic_s, near) - 1_700_000_000.0


def test_without_a_comparison_it_is_the_rig_s_own_clock() -> None:
    clock = SessionClock(PAIR)
    assert since_s(clock, 53.5) == pytest.approx(3.5)
    assert clock.bound_s is None and clock.reference == ""
    assert repr(clock) == "<SessionClock: never compared with another>"


def test_offsets_are_linear_between_measurements_and_constant_beyond() -> None:
    clock = SessionClock(PAIR, [offset(10, 0.5), offset(20, 0.7)])
    found = [since_s(clock, 50.0 + at) - at for at in (0, 10, 15, 20, 100)]
    assert found == pytest.approx([0.5, 0.5, 0.6, 0.7, 0.7], abs=1e-6)


def test_a_step_of_the_wall_clock_moves_no_time() -> None:
    """Set forward by an hour between two measurements, which say so each in its way."""
    events = [event(1, 51), event(3612, 62)]
    clock = SessionClock(PAIR, [offset(2, 0.5), offset(3613, 0.5 - 3600)], events)
    found = [since_s(clock, 50.0 + at) - at for at in (0, 5, 13, 20)]
    assert found == pytest.approx([0.5] * 4, abs=1e-6)


def test_after_a_restart_of_the_computer_its_clock_counts_anew() -> None:
    events = [event(0, 50, {"boot": "a"}), event(600, 7, {"boot": "b"}), event(601, 8)]
    clock = SessionClock(PAIR, (), events)
    assert since_s(clock, 51.0, near_s=1.0) == pytest.approx(1.0)
    assert since_s(clock, 9.0, near_s=602.3) == pytest.approx(602.0)


def test_offsets_against_the_clock_that_was_asked_most_often_count() -> None:
    clock = SessionClock(PAIR, [offset(1, 0.5), offset(2, 9.0, "laptop"), offset(3, 0.5)])
    assert clock.reference == "desk"
    assert since_s(clock, 52.0) == pytest.approx(2.5)
