"""Clock samples of controllers: read with care, told the session in its own terms."""

import math
import time

import pytest

from rigctl.daemon import clock_notes
from rigctl.daemon.clock_notes import ClockNotes
from rigctl.messages import Json
from rigctl.net.clock import RigClock
from rigctl.recording.session import ClockOffset

SAMPLE: dict[str, Json] = {
    "reference": "desk",
    "offset_s": 0.25,
    "bound_s": 0.001,
    "drift_ppm": None,
}


@pytest.fixture
def kept() -> list[ClockOffset]:
    return []


@pytest.fixture
def notes(kept: list[ClockOffset]) -> ClockNotes:
    return ClockNotes(RigClock(), kept.append)


def test_a_sample_becomes_what_is_to_be_added_to_the_wall_clock(
    notes: ClockNotes, kept: list[ClockOffset]
) -> None:
    notes.command({"clock": SAMPLE})
    (one,) = kept
    assert (one.reference, one.bound_s) == ("desk", 0.001)
    assert one.offset_s == pytest.approx(-0.25, abs=0.01), "the rig is ahead of the desk"
    assert one.unix_s == pytest.approx(time.time(), abs=10)


def test_a_wall_clock_that_was_stepped_is_allowed_for(
    notes: ClockNotes, kept: list[ClockOffset], monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 100)
    notes.command({"clock": SAMPLE})
    assert kept[0].offset_s == pytest.approx(-100.25, abs=0.01)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "clock",
        {},
        {"clock": None},
        {"clock": [1, 2]},
        *(
            {"clock": SAMPLE | change}
            for change in (
                {"offset_s": math.nan},
                {"offset_s": math.inf},
                {"offset_s": "0"},
                {"offset_s": True},
                {"offset_s": 10**400},
                {"offset_s": None},
                {"bound_s": -1.0},
                {"bound_s": None},
                {"reference": 5},
                {"reference": None},
            )
        ),
    ],
)
def test_what_makes_no_sense_is_passed_over(
    notes: ClockNotes, kept: list[ClockOffset], data: Json
) -> None:
    notes.command(data)
    assert kept == []


def test_a_long_name_is_cut(notes: ClockNotes, kept: list[ClockOffset]) -> None:
    notes.command({"clock": SAMPLE | {"reference": "x" * 10_000}})
    assert len(kept[0].reference) == 100


def test_questions_are_kept_at_a_bounded_rate_and_commands_always(
    notes: ClockNotes, kept: list[ClockOffset], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    for seconds in range(25):
        now_s = 1000.0 + seconds
        notes.question({"clock": SAMPLE})
    assert len(kept) == 1 + int(24 // clock_notes._EVERY_S)
    for _ in range(3):
        notes.command({"clock": SAMPLE})
    assert len(kept) == 6


@pytest.mark.parametrize(("told", "noted"), [(12.5, -12.5), (None, None), ("fast", None)])
def test_its_drift_is_kept_as_that_of_what_is_to_be_added(
    notes: ClockNotes, kept: list[ClockOffset], told: Json, noted: float | None
) -> None:
    notes.command({"clock": SAMPLE | {"drift_ppm": told}})
    assert kept[0].drift_ppm == noted
