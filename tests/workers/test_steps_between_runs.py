"""What is missing before a new run is measured: by numbers that go on, else by the clock."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import BlockFlags
from rigctl.peers.steps import Append, Measure, Segment, Sequence, Step
from rigctl.streams import BlockRecord

RATE_HZ = Fraction(1000)
POINTS = 20
BLOCK_S = 0.02


def record(counter: int, arrival_s: float, *, run: int = 1, points: int = POINTS) -> BlockRecord:
    return BlockRecord(counter, 0, points, arrival_s, BlockFlags.NONE, run)


def segment_after(
    last: BlockRecord, block: BlockRecord, *, overrun: tuple[int, int] = (0, 0), limit: int = 0
) -> Segment:
    sequence = Sequence(limit, RATE_HZ)
    sequence.steps([last])
    if any(overrun):
        sequence.overrun(*overrun)
    return segment_in(sequence.steps([block]))


def segment_in(steps: list[Step]) -> Segment:
    first, *_ = steps
    assert isinstance(first, Segment)
    return first


def test_a_source_that_went_on_counting_tells_exactly_what_is_missing() -> None:
    found = segment_after(record(100, 2.0), record(251, 5.07, run=2))
    assert (found.missing, found.measure) == (150 * POINTS, Measure.NUMBERS)


@pytest.mark.parametrize("counter", [1, 100, 99, 101, 5000])
def test_numbers_that_do_not_fit_the_time_are_not_believed(counter: int) -> None:
    found = segment_after(record(100, 2.0), record(counter, 5.02, run=2))
    assert (found.missing, found.measure) == (3000, Measure.CLOCK)


def test_what_is_missing_before_a_new_run_is_never_filled_in() -> None:
    assert segment_after(record(100, 2.0), record(111, 2.22, run=2), limit=10**6).missing == 200


def test_uneven_arrivals_are_no_loss() -> None:
    found = segment_after(record(100, 2.0), record(1, 2.03, run=2))
    assert (found.missing, found.measure) == (0, Measure.CLOCK)


def test_what_was_overwritten_in_the_ring_is_part_of_the_time_and_not_counted_twice() -> None:
    last, overrun = record(100, 2.0), (10 * POINTS, 10)
    assert segment_after(last, record(111, 2.22, run=2), overrun=overrun).missing == 200
    assert segment_after(last, record(131, 2.62, run=2), overrun=overrun).missing == 600
    assert segment_after(last, record(1, 2.22, run=2), overrun=overrun).missing == 200
    # It surely was there, whatever the clock says.
    assert segment_after(last, record(1, 2.0, run=2), overrun=overrun).missing == 200


def test_clocks_that_say_nothing_measure_nothing() -> None:
    assert segment_after(record(100, 2.0), record(1, float("nan"), run=2)).missing == 0
    assert segment_after(record(100, 2.0), record(1, float("inf"), run=2)).missing == 0
    assert segment_after(record(100, 2.0), record(1, 1.0, run=2)).missing == 0


def test_another_ring_of_the_same_layout_follows_on_the_one_before() -> None:
    sequence = Sequence(10**6, RATE_HZ, after=record(100, 2.0))
    steps = sequence.steps([record(1, 5.02), record(2, 5.04)])
    assert steps[0] == Segment(5.02, POINTS, 3000, Measure.CLOCK)
    assert isinstance(steps[1], Append)
    assert not [step for step in sequence.steps([record(3, 5.06)]) if isinstance(step, Segment)]
    assert sequence.last == record(3, 5.06)


@given(
    st.integers(0, 10**6),
    st.integers(1, 200_000),
    st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)),
    st.floats(-1e-4, 1e-4),
    st.booleans(),
)
def test_what_is_measured_is_what_was_lost(
    last: int, lost: int, late_s: tuple[float, float], drift: float, goes_on: bool
) -> None:
    """A source's clock drifts, its blocks arrive late, those between two runs are lost."""
    after = last + lost + 1
    block_s = BLOCK_S * (1 + drift)
    found = segment_after(
        record(last, last * block_s + late_s[0]),
        record(after if goes_on else 0, after * block_s + late_s[1], run=2),
    )
    true = lost * POINTS
    if goes_on:
        assert (found.missing, found.measure) == (true, Measure.NUMBERS)
    else:
        assert abs(found.missing - true) <= 200 + POINTS + true * 1e-4 + 1
        assert found.measure is Measure.CLOCK
