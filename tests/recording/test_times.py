"""When samples were taken: the line below the arrivals, whatever was late."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from rigctl.blocks import BlockFlags
from rigctl.recording.index import RECORD, Records
from rigctl.recording.times import Times, corners, segments

RATE = Fraction(1000)
POINTS = 20


def records(
    arrivals: Sequence[float] | np.ndarray, flags: dict[int, BlockFlags] | None = None
) -> Records:
    made = np.zeros(len(arrivals), RECORD)
    made["first"] = np.arange(len(arrivals)) * POINTS
    made["count"] = POINTS
    made["arrival_s"] = arrivals
    for number, flag in (flags or {}).items():
        made["flags"][number] = flag
    return made


def times_of(found: Records, rate_hz: Fraction = RATE) -> Times:
    lines = [corners(one, one.records["arrival_s"], rate_hz) for one in segments(found)]
    both = [np.concatenate(part) for part in zip(*lines, strict=True)]
    return Times(len(found) * POINTS, (both[0], both[1]), 0.0, float(1 / rate_hz))


def arrivals(count: int, rate_hz: float, begins_s: float = 100.0) -> np.ndarray:
    """When blocks are complete that are taken at a rate and come without delay."""
    return begins_s + (np.arange(count) + 1) * POINTS / rate_hz


def late(count: int, seed: int = 1) -> np.ndarray:
    """Delays as they are: most of some milliseconds, some of a second, hardly any of none."""
    random = np.random.default_rng(seed)
    delays = random.exponential(0.003, count)
    delays[random.random(count) < 0.01] += 1.0
    delays[:: max(count // 40, 1)] = 0.0
    return delays


def test_blocks_that_are_late_move_no_sample() -> None:
    sent = arrivals(100, 1000.0)
    times = times_of(records(sent + late(100)))
    assert times[0] == pytest.approx(100.001, abs=1e-9)
    np.testing.assert_allclose(
        np.asarray(times), 100.001 + np.arange(2000) / 1000, rtol=0, atol=1e-9
    )


def test_the_true_rate_of_a_long_recording_is_found() -> None:
    """An hour at 40 ppm too much: 0.14 s, were the nominal rate taken."""
    rate_hz = 1000 * (1 + 40e-6)
    count = 3600 * 1000 // POINTS
    delays = np.random.default_rng(3).exponential(0.003, count)
    times = times_of(records(arrivals(count, rate_hz) + delays))
    truth = 100 + (np.arange(0, len(times), 999) + 1) / rate_hz
    assert np.abs(times[np.arange(0, len(times), 999)] - truth).max() < 50e-6


def test_a_crystal_that_changes_its_rate_is_followed() -> None:
    """From +10 to -10 ppm within half an hour."""
    at_s = np.arange(1800 * 50) / 50
    taken_s = 100 + at_s + 10e-6 * at_s - 0.5 * (20e-6 / 1800) * at_s**2
    delays = np.random.default_rng(4).exponential(0.002, len(at_s))
    found = records(taken_s + delays)
    times = times_of(found)
    middle = times[np.arange(len(at_s)) * POINTS + POINTS - 1]
    assert np.abs(middle - taken_s).max() < 200e-6


def test_a_minute_of_late_blocks_moves_nothing() -> None:
    sent = arrivals(50 * 240, 1000.0)
    delayed = sent.copy()
    stalled = slice(50 * 90, 50 * 150)
    delayed[stalled] = sent[stalled][-1] + 0.5  # all at once, when the line was free again
    times = times_of(records(delayed))
    np.testing.assert_allclose(
        times[::500], 100.001 + np.arange(0, len(times), 500) / 1000, rtol=0, atol=1e-9
    )


def test_a_rate_that_is_far_from_the_nominal_one_shows_even_in_a_short_recording() -> None:
    times = times_of(records(arrivals(300, 500.0)))
    assert times[5999] - times[0] == pytest.approx(5999 / 500)


def test_times_jump_where_samples_are_lost_and_nothing_stands_in_for_them() -> None:
    sent = arrivals(100, 1000.0)
    sent[60:] += 7.0
    found = records(sent, {60: BlockFlags.GAP_BEFORE})
    times = times_of(found)
    assert [(one.start, one.stop) for one in segments(found)] == [(0, 1200), (1200, 2000)]
    assert times[1199] == pytest.approx(101.2)
    assert times[1200] == pytest.approx(108.201)
    assert times.strays_s(1000.0) == pytest.approx(7.0)


def test_what_stands_in_for_lost_samples_takes_its_time_and_tells_none() -> None:
    sent = arrivals(100, 1000.0)
    sent[50] = sent[51]  # seen when the next block came
    flags = BlockFlags.FILLED | BlockFlags.GAP_BEFORE
    found = records(sent, {50: flags})
    assert len(segments(found)) == 1
    np.testing.assert_allclose(
        times_of(found)[:], 100.001 + np.arange(2000) / 1000, rtol=0, atol=1e-9
    )


def test_times_are_indexed_as_arrays_are() -> None:
    times = times_of(records(arrivals(5, 1000.0)))
    every = np.asarray(times)
    assert len(times) == len(every) == 100
    assert times[-1] == every[-1] == times.at(99)
    np.testing.assert_array_equal(times[10:90:7], every[10:90:7])
    np.testing.assert_array_equal(times[np.array([3, 5])], every[[3, 5]])
    assert list(times) == every.tolist()
    assert times.at(100) == pytest.approx(every[-1] + 0.001)
    assert times.position_of(every[42]) == pytest.approx(42)
    with pytest.raises(IndexError):
        times[100]


def test_nothing_recorded_has_no_times() -> None:
    times = Times(0, (np.empty(0), np.empty(0)), 5.0, 0.001)
    assert len(times) == 0
    assert times[:].shape == (0,)
    assert repr(times) == "<Times: none>"
    assert segments(records([])) == []
