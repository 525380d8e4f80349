"""The forecast: the same for the same seed, and as bad as was said."""

import itertools
import math
from dataclasses import replace

import pytest

from rigctl.net.weather import Direction, Fate, Forecast, Weather, Window

TO_RIG, FROM_RIG = Direction.TO_RIG, Direction.FROM_RIG
BAD = Weather(loss=0.2, duplication=0.2, reordering=0.2, delay_s=0.01, jitter_s=0.02)
MANY = 20_000


def fates(forecast, number=MANY, direction=TO_RIG):
    return [forecast.packet(0.0, direction) for _ in range(number)]


def share(hits):
    return sum(hits) / MANY


def test_the_same_seed_has_the_same_fates_and_another_has_others():
    assert fates(Forecast(BAD, 7), 500) == fates(Forecast(BAD, 7), 500)
    assert fates(Forecast(BAD, 7), 500) != fates(Forecast(BAD, 8), 500)


def test_what_goes_the_other_way_or_comes_at_another_time_changes_nothing():
    calm, busy = Forecast(BAD, 7), Forecast(BAD, 7)
    alone = [calm.packet(0.0, TO_RIG) for _ in range(200)]
    among = []
    for index in range(200):
        among.append(busy.packet(index * 0.1, TO_RIG))
        busy.packet(0.0, FROM_RIG)
        busy.piece(0.0, TO_RIG)
    assert among == alone
    assert fates(Forecast(BAD, 7), 200, FROM_RIG) != alone


def test_what_is_lost_changes_nothing_for_those_after_it():
    harsh = fates(Forecast(BAD, 7), 500)
    mild = fates(Forecast(replace(BAD, loss=0.1), 7), 500)
    assert [a for a, b in zip(harsh, mild, strict=True) if a != b and a.delays_s] == []


def test_packets_are_lost_doubled_and_held_back_as_often_as_was_said():
    seen = fates(Forecast(BAD, 1))
    assert share(not fate.delays_s for fate in seen) == pytest.approx(0.2, abs=0.01)
    arriving = [fate for fate in seen if fate.delays_s]
    for hits in ([len(fate.delays_s) == 2 for fate in arriving], [fate.held for fate in arriving]):
        assert sum(hits) / len(arriving) == pytest.approx(0.2, abs=0.015)


def test_delays_lie_between_the_delay_and_what_the_jitter_adds():
    plain = [
        fate.delays_s[0] for fate in fates(Forecast(BAD, 1)) if fate.delays_s and not fate.held
    ]
    assert 0.01 <= min(plain) < 0.011
    assert 0.029 < max(plain) <= 0.03


def test_what_is_held_back_is_overtaken():
    held = [fate.delays_s[0] for fate in fates(Forecast(Weather(reordering=1.0), 1))]
    assert 0.025 <= min(held) < 0.026
    assert 0.049 < max(held) <= 0.05


def test_all_is_well_in_no_weather():
    assert set(fates(Forecast(Weather(), 1), 100)) == {Fate((0.0,))}


def test_one_bit_of_a_damaged_packet_is_flipped_and_any_may_be():
    data = bytes(range(16))
    arrived = [fate.arriving(data) for fate in fates(Forecast(Weather(corruption=1.0), 1), 5000)]
    as_number = int.from_bytes(data, "big")
    flipped = {int.from_bytes(one, "big") ^ as_number for one in arrived}
    assert flipped == {1 << bit for bit in range(128)}
    assert Fate((0.0,), damage=0.999999).arriving(b"") == b""
    assert Fate((0.0,)).arriving(data) is data


def test_nothing_passes_a_partition_and_everything_does_after_it():
    forecast = Forecast(Weather(partitions=(Window(5.0, 2.0), Window(20.0, 1.0))), 1, began_s=100.0)
    parted = [t for t in range(200) if forecast.packet(t / 4 + 100.0, TO_RIG).parted]
    assert [t / 4 for t in parted] == [
        *(5 + n / 4 for n in range(8)),
        *(20 + n / 4 for n in range(4)),
    ]
    assert not forecast.packet(107.0, FROM_RIG).parted


def test_a_periodic_partition_is_at_the_end_of_each_period():
    weather = Weather(partitions=(Window.periodic(30.0, 2.0),))
    clear = [weather.clear_at(t) for t in (0.0, 27.9, 28.0, 29.5, 30.0, 58.5, 60.0)]
    assert clear == [0.0, 27.9, 30.0, 30.0, 30.0, 60.0, 60.0]


def test_a_partition_that_begins_in_another_one_goes_on_after_it():
    weather = Weather(partitions=(Window(1.9, 2.0), Window(1.0, 1.0)))
    assert weather.clear_at(1.5) == pytest.approx(3.9)


def test_pieces_of_a_stream_wait_for_a_partitions_end():
    forecast = Forecast(Weather(delay_s=0.5, partitions=(Window(1.0, 2.0),)), 1)
    before, within = forecast.piece(0.0, TO_RIG), forecast.piece(1.5, TO_RIG)
    assert (before.delay_s, before.stalled) == (0.5, False)
    assert (within.delay_s, within.stalled, within.cut) == (2.0, True, False)


def test_a_partition_that_is_too_long_cuts():
    forecast = Forecast(Weather(cut_after_s=1.0, partitions=(Window(1.0, 5.0),)), 1)
    assert (forecast.piece(2.0, TO_RIG).delay_s, forecast.piece(2.0, TO_RIG).cut) == (1.0, True)
    assert not forecast.piece(5.5, TO_RIG).cut


def test_connections_are_cut_as_often_as_was_said():
    forecast = Forecast(Weather(cut=0.1, loss=1.0), 1)
    assert share(forecast.piece(0.0, TO_RIG).cut for _ in range(MANY)) == pytest.approx(
        0.1, abs=0.01
    )


def test_the_weather_may_change():
    forecast = Forecast(Weather(loss=1.0), 1)
    assert forecast.packet(0.0, TO_RIG).delays_s == ()
    forecast.weather = Weather()
    assert forecast.packet(0.0, TO_RIG).delays_s == (0.0,)


IMPOSSIBLE = [
    *itertools.product(
        ["loss", "duplication", "reordering", "corruption", "cut"], [-0.1, 1.1, math.nan]
    ),
    *itertools.product(["delay_s", "jitter_s", "hold_s"], [-1.0, math.inf, math.nan]),
]


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_impossible_weather_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        Weather(**{name: value})


@pytest.mark.parametrize(
    "window", [(0.0, 0.0), (-1.0, 1.0), (0.0, 5.0, 5.0), (0.0, math.nan), (0.0, math.inf)]
)
def test_a_partition_that_takes_no_time_or_never_ends_is_refused(window):
    with pytest.raises(ValueError, match="partition"):
        Window(*window)
