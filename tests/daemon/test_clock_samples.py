"""Clock samples of a session: the first, the last, and not more than are of use between them."""

from itertools import pairwise

from rigctl.daemon.clock_samples import MAX_KEPT, ClockSamples
from rigctl.recording.session import ClockOffset


def sample(unix_s: float) -> ClockOffset:
    return ClockOffset(unix_s=unix_s, reference="desk", offset_s=0.001, bound_s=0.0002)


def kept(notes: ClockSamples) -> list[float]:
    return [offset.unix_s for offset in notes.all]


def test_one_every_ten_seconds_is_kept() -> None:
    notes = ClockSamples()
    assert [notes.note(sample(at)) for at in (0.0, 4.0, 9.9, 10.0, 15.0)] == [
        *(True, False, False, True, False)
    ]
    assert kept(notes) == [0.0, 10.0]


def test_the_last_is_kept_whenever_it_came() -> None:
    notes = ClockSamples()
    for at in (0.0, 4.0):
        notes.note(sample(at))
    notes.close()
    notes.close()
    assert kept(notes) == [0.0, 4.0]


def test_nothing_was_noted_and_nothing_is_kept() -> None:
    notes = ClockSamples()
    notes.close()
    assert notes.all == ()


def test_a_wall_clock_that_is_set_back_is_no_reason_to_wait() -> None:
    notes = ClockSamples()
    for at in (1000.0, 500.0):
        notes.note(sample(at))
    assert kept(notes) == [1000.0, 500.0]


def test_a_session_goes_on_with_what_it_has() -> None:
    notes = ClockSamples([sample(0.0)])
    assert not notes.note(sample(5.0))
    assert notes.note(sample(12.0))
    assert kept(notes) == [0.0, 12.0]


def test_a_long_session_keeps_its_whole_length_in_bounded_space() -> None:
    notes = ClockSamples()
    for number in range(5 * MAX_KEPT):
        notes.note(sample(10.0 * number))
    notes.close()
    times = kept(notes)
    assert MAX_KEPT // 2 <= len(times) <= MAX_KEPT
    assert times == sorted(times)
    assert (times[0], times[-1]) == (0.0, 10.0 * (5 * MAX_KEPT - 1))
    pauses = {round(b - a) for a, b in pairwise(times)}
    assert max(pauses) <= 80
