"""Where an instant lies: exact to the sample, however late most blocks come."""

import math
from fractions import Fraction
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import BlockFlags
from rigctl.streams.blocktable import Row
from rigctl.streams.instants import Arrival, arrivals_of, locate

RATE = Fraction(1000)
BEGIN_S = 50_000.0


def steady(
    blocks: int, points: int = 10, begin_s: float = BEGIN_S, first: int = 0
) -> list[Arrival]:
    """Blocks that come without delay: sample k is taken at ``begin_s + (k - first + 1) / RATE``."""
    return [
        Arrival(
            first + n * points, first + (n + 1) * points, begin_s + (n + 1) * points / 1000, not n
        )
        for n in range(blocks)
    ]


def delayed(arrivals: list[Arrival], delays_s: list[float]) -> list[Arrival]:
    late = (a.arrival_s + d for a, d in zip(arrivals, delays_s, strict=True))
    times = accumulate(late, max)  # blocks come in their order
    return [a._replace(arrival_s=t) for a, t in zip(arrivals, times, strict=True)]


def row(counter: int, first: int = 0, points: int = 10, run: int = 1, flags: int = 0) -> Row:
    return Row(counter, first, points, counter / 100, flags, run, 0, 0)


# --- the line


def test_an_instant_between_two_samples_has_a_fraction() -> None:
    # Samples 99 and 100 are taken 100 ms and 101 ms after the beginning.
    position = locate(steady(50), RATE, BEGIN_S + 0.10025)
    assert position is not None
    assert math.isclose(position, 99.25, abs_tol=1e-6)


def test_blocks_that_are_late_do_not_move_it() -> None:
    arrivals = delayed(steady(50), [0.008] * 30 + [0.0] + [0.2] * 19)
    position = locate(arrivals, RATE, BEGIN_S + 0.1)
    assert position is not None
    assert math.isclose(position, 99, abs_tol=1e-6)


def test_a_burst_after_silence_is_placed_by_its_last_block() -> None:
    arrivals = delayed(steady(300), [(299 - n) / 100 for n in range(300)])
    position = locate(arrivals, RATE, BEGIN_S + 1.5)
    assert position is not None
    assert math.isclose(position, 1499, abs_tol=1e-6)


def test_blocks_without_samples_do_not_move_it() -> None:
    arrivals = steady(20)
    for place in (20, 9, 3):
        stop, arrival_s = arrivals[place - 1].stop, arrivals[place - 1].arrival_s
        arrivals.insert(place, Arrival(stop, stop, arrival_s + 0.004, False))
    assert locate(arrivals, RATE, BEGIN_S + 0.1) == locate(steady(20), RATE, BEGIN_S + 0.1)


def test_a_stream_that_is_slower_than_what_is_looked_at_is_placed_all_the_same() -> None:
    arrivals = [Arrival(n, n + 1, 100.0 * (n + 1), not n) for n in range(30)]
    position = locate(arrivals, Fraction(1, 100), 1050.0)
    assert position is not None
    assert math.isclose(position, 9.5)


def test_blocks_far_from_the_instant_are_not_asked() -> None:
    """A clock that is 100 ppm fast moves it by no more than 5 s do."""
    arrivals = [a._replace(arrival_s=a.arrival_s * 1.0001) for a in steady(6000, begin_s=0.0)]
    position = locate(arrivals, RATE, 50.0)
    assert position is not None
    assert abs(position - 50_000 / 1.0001) < 2


@given(
    st.integers(1, 40),
    st.lists(st.floats(0, 0.3), min_size=2, max_size=100),
    st.floats(0.001, 30_000),
    st.data(),
)
def test_it_is_exact_if_one_block_near_it_comes_without_delay(
    points: int, delays_s: list[float], rate: float, data: st.DataObject
) -> None:
    rate_hz = Fraction(rate).limit_denominator(1000) or Fraction(1, 1000)
    taken_s = [BEGIN_S + (n + 1) * points / float(rate_hz) for n in range(len(delays_s))]
    prompt = data.draw(st.integers(0, len(delays_s) - 1))
    delays_s[prompt] = 0.0
    times = [t + d for t, d in zip(taken_s, delays_s, strict=True)]
    times[:prompt] = [min(t, taken_s[prompt]) for t in times[:prompt]]  # none comes after it
    stops = [(n + 1) * points for n in range(len(times))]
    arrivals = [
        Arrival(stop - points, stop, arrival_s, stop == points)
        for stop, arrival_s in zip(stops, accumulate(times, max), strict=True)
    ]
    within = 4 * float(rate_hz)
    low, high = max(stops[prompt] - within, 0), min(stops[prompt] + within, stops[-1] - 1.01)
    wanted = data.draw(st.floats(min(low, high), high))
    position = locate(arrivals, rate_hz, BEGIN_S + (wanted + 1) / float(rate_hz))
    assert position is not None
    assert abs(position - wanted) < 1e-3


# --- beginnings, ends and gaps


def test_it_is_not_known_before_a_sample_of_that_time_is_there() -> None:
    assert locate([], RATE, BEGIN_S) is None
    assert locate(steady(10), RATE, BEGIN_S + 0.1001) is None
    assert locate(steady(10), RATE, BEGIN_S + 0.0999) is not None


def test_a_late_block_of_older_samples_does_not_make_it_known() -> None:
    arrivals = delayed(steady(10), [0.0] * 9 + [5.0])
    assert locate(arrivals, RATE, BEGIN_S + 2.0) is None


def test_before_the_beginning_lies_the_first_sample() -> None:
    assert locate(steady(10), RATE, BEGIN_S - 100) == 0


def test_between_two_stretches_lies_the_first_sample_of_the_later() -> None:
    arrivals = [*steady(10), *steady(10, begin_s=BEGIN_S + 60, first=100)]
    assert locate(arrivals, RATE, BEGIN_S + 30) == 100
    position = locate(arrivals, RATE, BEGIN_S + 60.05)
    assert position is not None
    assert math.isclose(position, 149, abs_tol=1e-6)


def test_a_stretch_without_samples_is_passed_over() -> None:
    empty = Arrival(100, 100, BEGIN_S + 5, True)
    assert locate([*steady(10), empty], RATE, BEGIN_S + 4) is None
    later = steady(10, begin_s=BEGIN_S + 60, first=100)
    assert locate([*steady(10), empty, *later], RATE, BEGIN_S + 4) == 100


def test_before_what_is_known_it_is_counted_back() -> None:
    known = [*steady(10, first=5000)]
    known[0] = known[0]._replace(begins=False)
    position = locate(known, RATE, BEGIN_S - 1)
    assert position is not None
    assert math.isclose(position, 3999, abs_tol=1e-6)


# --- where a stretch begins


def begins(*rows: Row, from_beginning: bool = False) -> list[bool]:
    return [arrival.begins for arrival in arrivals_of(rows, from_beginning=from_beginning)]


def test_the_first_block_begins_a_stretch_if_none_came_before() -> None:
    assert begins(row(5), from_beginning=True) == [True]
    assert begins(row(5)) == [False]


def test_lost_blocks_a_new_run_and_a_gap_begin_a_stretch() -> None:
    assert begins(row(5), row(6), row(8)) == [False, False, True]
    assert begins(row(5), row(6, run=2)) == [False, True]
    assert begins(row(5), row(6, flags=BlockFlags.NEW_RUN)) == [False, True]
    assert begins(row(5), row(6, flags=BlockFlags.GAP_BEFORE)) == [False, True]
    assert begins(row(5), row(2)) == [False, True]


def test_pieces_of_one_block_follow_on_each_other() -> None:
    assert begins(row(5), row(5), row(6, flags=BlockFlags.FILLED)) == [False, False, False]
