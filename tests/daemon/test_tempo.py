"""A wrong rate is found soon; what delivery does to a right one is never taken for it."""

import random
from collections.abc import Callable, Iterator

import pytest

from rigctl.daemon.tempo import JITTER_S, TOLERANCE, Tempo

LOOK_S = 0.5

Delay = Callable[[float], float]


def blocks(
    true_hz: Callable[[float], float], points: int, delay: Delay, seconds: float
) -> Iterator[tuple[float, int]]:
    """Yield when each block comes, and how many samples have then come."""
    taken, came, samples = 0.0, 0.0, 0
    while taken < seconds:
        taken += points / true_hz(taken)
        samples += points
        came = max(came, taken + delay(taken))  # they come in their order
        yield came, samples


def judged(
    tempo: Tempo, came: Iterator[tuple[float, int]], begin: float = 0.0
) -> Iterator[tuple[float, float | None]]:
    """Look twice a second, as the daemon does; yield when, and what is judged then."""
    look, last = begin + LOOK_S, None
    for arrival, samples in came:
        while arrival > look:
            if last:
                tempo.look(*last)
            yield look, tempo.wrong_hz
            look += LOOK_S
        last = arrival, samples


def never_wrong(rate_hz: float, *args: object, **more: object) -> None:
    came = blocks(*args, **more)  # type: ignore[arg-type]
    found = [(at, wrong) for at, wrong in judged(Tempo(rate_hz), came) if wrong]
    assert not found, found[:3]


def steady(rate_hz: float) -> Callable[[float], float]:
    return lambda _: rate_hz


def prompt(_: float) -> float:
    return 0.0


RATES = [(0.5, 1), (1, 1), (7, 1), (30, 1), (250, 250), (500, 500), (1000, 20), (30_000, 3000)]


@pytest.mark.parametrize(("rate_hz", "points"), RATES)
@pytest.mark.parametrize("error", [-TOLERANCE, 0, TOLERANCE])
def test_jitter_as_large_as_is_allowed_is_no_wrong_rate(
    rate_hz: float, points: int, error: float
) -> None:
    for seed in range(3):
        chance = random.Random(seed)
        true_hz = steady(rate_hz * (1 + error * 0.99))
        never_wrong(
            rate_hz, true_hz, points, lambda _, c=chance: c.uniform(0, JITTER_S), seconds=150
        )


@pytest.mark.parametrize(("rate_hz", "points"), [(250, 25), (1000, 20), (30_000, 3000)])
def test_a_hiccup_that_is_caught_up_with_is_no_wrong_rate(rate_hz: float, points: int) -> None:
    """A source that stops for a while, and then brings what it has not brought, fast or slowly."""
    for seed in range(15):
        chance = random.Random(seed)
        at, long_s, faster = chance.uniform(3, 60), chance.uniform(0.1, 1.4), chance.uniform(2, 20)

        def delay(taken: float, at=at, long_s=long_s, faster=faster) -> float:
            """What is taken from then on comes after the hiccup, so many times as fast."""
            since = taken - at
            return max(long_s - since * (1 - 1 / faster), 0.0) if since >= 0 else 0.0

        never_wrong(rate_hz, steady(rate_hz), points, delay, seconds=80)


def test_a_lost_block_and_a_lost_second_are_no_wrong_rate() -> None:
    for lost_s in (0.1, 0.3, 1.0):
        tempo = Tempo(1000)
        came = blocks(steady(1000), 20, prompt, seconds=90)
        thinned = (
            (at, n - (0 if at < 30 else int(1000 * lost_s)))
            for at, n in came
            if not 30 <= at < 30 + lost_s
        )
        assert not [at for at, wrong in judged(tempo, thinned) if wrong]


def test_a_pause_is_none_and_what_follows_is_judged_anew() -> None:
    tempo = Tempo(1000)
    came = list(blocks(steady(1000), 20, prompt, seconds=20))
    paused = [*came, *((at + 40, n + 20_000) for at, n in came)]
    assert not [at for at, wrong in judged(tempo, iter(paused)) if wrong]


@pytest.mark.parametrize(("rate_hz", "points"), [(30, 1), (250, 25), (1000, 20), (30_000, 3000)])
@pytest.mark.parametrize("error", [-0.5, -0.1, 0.1, 0.5, 1.0])
def test_a_rate_wrong_by_a_tenth_is_found_within_two_seconds_and_forgotten_after_it(
    rate_hz: float, points: int, error: float
) -> None:
    for seed in range(10):
        chance = random.Random(seed)
        wrong_from = chance.uniform(3, 40)
        wrong_to = wrong_from + chance.uniform(4, 60)

        def true_hz(taken: float, begin=wrong_from, end=wrong_to) -> float:
            return rate_hz * (1 + error) if begin <= taken < end else rate_hz

        came = blocks(true_hz, points, lambda _, c=chance: c.uniform(0, 0.01), wrong_to + 30)
        found = list(judged(Tempo(rate_hz), came, begin=chance.random()))
        early = [at for at, wrong in found if wrong and at < wrong_from]
        first = next(at for at, wrong in found if wrong)
        last = max(at for at, wrong in found if wrong)
        assert not early
        assert first - wrong_from <= 2.0
        assert last - wrong_to <= (12.0 if abs(error) < 0.2 else 5.0)
        meanwhile = [wrong for at, wrong in found if wrong_from + 2 < at < wrong_to]
        assert None not in meanwhile
        assert meanwhile[-1] == pytest.approx(rate_hz * (1 + error), rel=0.05)


@pytest.mark.parametrize(("error", "within_s"), [(0.06, 5), (0.04, 8), (0.03, 16), (0.025, 32)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_smaller_error_takes_longer_to_be_found(error: float, within_s: float, sign: int) -> None:
    came = blocks(steady(1000 * (1 + sign * error)), 20, prompt, seconds=90)
    found = list(judged(Tempo(1000), came))
    assert next(at for at, wrong in found if wrong) <= within_s
    assert all(wrong for at, wrong in found if at > within_s)


def test_what_is_lost_again_and_again_is_a_wrong_rate() -> None:
    tempo = Tempo(1000)
    came = blocks(steady(1000), 20, prompt, seconds=30)
    thinned = (
        (at, int(at) * 800 + min(int((at % 1) * 1000), 800)) for at, _ in came if at % 1 < 0.8
    )
    found = list(judged(tempo, thinned))
    assert next(at for at, wrong in found if wrong) < 8


def test_the_measured_rate_is_that_of_the_last_seconds_and_falls_when_nothing_comes() -> None:
    tempo = Tempo(1000)
    assert tempo.measured_hz(0) is None
    *_, (end, _) = judged(tempo, blocks(steady(900), 20, prompt, seconds=10))
    assert tempo.measured_hz(end) == pytest.approx(900)
    assert tempo.measured_hz(end + 2) < 700  # type: ignore[operator]
    assert tempo.measured_hz(end + 90) < 20  # type: ignore[operator]
