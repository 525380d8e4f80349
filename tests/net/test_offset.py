"""What clock readings say of a peer's clock: the truth is always inside the bound."""

import bisect
import random
from dataclasses import dataclass

import pytest

from rigctl.net.offset import MAX_DRIFT, OffsetEstimate
from rigctl.net.outputs import Probed

EPOCH_S = 1.7e9  # readings are as coarse as real ones


class PeerClock:
    """A clock that runs apart from ours, at a rate that changes now and then."""

    def __init__(self, dice: random.Random, *, steady: bool = False) -> None:
        self.offset_s = dice.choice([0.0, 0.3, -12.5, 86_400.0]) + dice.uniform(-1, 1)
        self.since_s, self.rates, self.offsets = [0.0], [self._rate(dice)], [self.offset_s]
        while not steady and self.since_s[-1] < 20_000:
            self.since_s.append(self.since_s[-1] + dice.uniform(1, 200))
            passed = self.since_s[-1] - self.since_s[-2]
            self.offsets.append(self.offsets[-1] + passed * self.rates[-1])
            self.rates.append(self._rate(dice))

    @staticmethod
    def _rate(dice: random.Random) -> float:
        return dice.choice([-MAX_DRIFT, MAX_DRIFT, dice.uniform(-MAX_DRIFT, MAX_DRIFT)])

    def truth(self, time_s: float) -> float:
        """Return its offset from ours at an instant."""
        index = bisect.bisect_right(self.since_s, time_s) - 1
        return self.offsets[index] + (time_s - self.since_s[index]) * self.rates[index]

    def read(self, time_s: float) -> float:
        return EPOCH_S + time_s + self.truth(time_s)

    def step(self, by_s: float) -> None:
        self.offsets = [offset + by_s for offset in self.offsets]


@dataclass
class Way:
    """The network and the two programs at its ends: how long each leg takes."""

    dice: random.Random
    forth_s: float = 0.001
    back_s: float = 0.001
    jitter_s: float = 0.0
    busy_s: float = 0.0
    """How long the peer thinks, and how late we look at what came."""

    def probe(self, peer: PeerClock, at_s: float) -> Probed:
        arrived = at_s + self.forth_s + self._some(self.jitter_s)
        left = arrived + self._some(self.busy_s)
        back = left + self.back_s + self._some(self.jitter_s) + self._some(self.busy_s)
        return Probed(EPOCH_S + at_s, peer.read(arrived), peer.read(left), EPOCH_S + back)

    def _some(self, mean_s: float) -> float:
        return self.dice.expovariate(1 / mean_s) if mean_s else 0.0


def weather(dice: random.Random) -> Way:
    """Return any network: fast or slow, lopsided, restless."""
    legs = [dice.choice([0.0, 0.0001, 0.01, 0.3]) for _ in range(2)]
    return Way(dice, *legs, dice.choice([0.0, 0.0005, 0.05]), dice.choice([0.0, 0.002, 0.2]))


def error_of(estimate: OffsetEstimate, peer: PeerClock, at_s: float) -> tuple[float, float]:
    """Return by how much the estimate is wrong, and by how much it says it may be."""
    told = estimate.at(EPOCH_S + at_s)
    assert told
    return abs(told.offset_s - peer.truth(at_s)), told.bound_s


@pytest.mark.parametrize("seed", range(300))
def test_the_truth_is_inside_the_bound_at_any_later_instant(seed):
    dice = random.Random(seed)
    peer, way, estimate = PeerClock(dice), weather(dice), OffsetEstimate()
    at_s, loss = 0.0, dice.choice([0.0, 0.5])
    for count in range(dice.choice([1, 5, 100])):
        at_s += dice.choice([0.01, 0.5, 7.0, 60.0]) * dice.uniform(0.5, 1.5)
        if count and dice.random() < loss:
            continue
        estimate.add(way.probe(peer, at_s))
        for later_s in (0.0, dice.uniform(0, 3), dice.uniform(0, 2000), -dice.uniform(0, at_s)):
            wrong_s, bound_s = error_of(estimate, peer, at_s + later_s)
            assert wrong_s <= bound_s, (count, later_s)
    assert estimate.steps == 0


@pytest.mark.parametrize("seed", range(100))
def test_a_steady_drift_is_inside_its_bound(seed):
    dice = random.Random(seed)
    peer, way, estimate = PeerClock(dice, steady=True), weather(dice), OffsetEstimate()
    for count in range(200):
        estimate.add(way.probe(peer, count * 2.9 + dice.random()))
    told = estimate.at(EPOCH_S + 600)
    assert told
    if told.drift_ppm is None:
        assert way.probe(peer, 0).received - EPOCH_S > 0.05  # no more can be told of such a way
    else:
        assert told.drift_bound_ppm
        assert abs(told.drift_ppm - peer.rates[0] * 1e6) <= told.drift_bound_ppm + 1e-9
        assert told.drift_bound_ppm < 100


def test_a_drift_that_changes_is_told_as_its_mean():
    peer, way = PeerClock(random.Random(1), steady=True), Way(random.Random(1))
    peer.rates, peer.since_s = [80e-6, -20e-6], [0.0, 300.0]
    peer.offsets = [0.0, 300 * 80e-6]
    estimate = OffsetEstimate()
    for count in range(61):
        estimate.add(way.probe(peer, 10.0 * count))
    told = estimate.at(EPOCH_S + 600)
    assert told
    assert told.drift_ppm == pytest.approx(30.0, abs=told.drift_bound_ppm)
    assert told.drift_bound_ppm < 5


def test_the_bound_shrinks_as_probes_come_and_grows_with_their_age():
    dice = random.Random(7)
    peer, estimate = PeerClock(dice, steady=True), OffsetEstimate()
    way = Way(dice, 0.0002, 0.0002, jitter_s=0.02)
    bounds = []
    for count in range(200):
        estimate.add(way.probe(peer, count * 0.05))
        bounds.append(error_of(estimate, peer, count * 0.05)[1])
    assert bounds[-1] < bounds[0] / 10
    assert bounds[-1] < 0.001
    aged = error_of(estimate, peer, 10.0 + 60.0)[1]
    grown_s = 60.0 * MAX_DRIFT
    assert grown_s <= aged <= grown_s + bounds[-1] + 1e-3


def test_lopsided_delays_are_told_apart_by_the_probes_that_were_quick():
    dice = random.Random(3)
    peer, estimate = PeerClock(dice, steady=True), OffsetEstimate()
    for count in range(100):
        slow = Way(dice, 0.0001 + dice.choice([0.0, 0.03]), 0.0001 + dice.choice([0.0, 0.005]))
        estimate.add(slow.probe(peer, count * 0.1))
    wrong_s, bound_s = error_of(estimate, peer, 10.0)
    assert wrong_s < 0.0002
    assert bound_s < 0.0003


@pytest.mark.parametrize("by_s", [0.005, -0.25, 3600.0])
def test_a_jump_of_the_peers_clock_is_counted_and_recovered_from(by_s):
    dice = random.Random(11)
    peer, way, estimate = PeerClock(dice), Way(dice, busy_s=0.0005), OffsetEstimate()
    for count in range(50):
        estimate.add(way.probe(peer, count * 0.5))
    peer.step(by_s)
    for count in range(50, 100):
        estimate.add(way.probe(peer, count * 0.5))
        wrong_s, bound_s = error_of(estimate, peer, count * 0.5 + 0.1)
        assert wrong_s <= bound_s < 0.004
    assert estimate.steps == 1
    told = estimate.at(EPOCH_S)
    assert told
    assert told.steps == 1


@pytest.mark.parametrize("seed", range(50))
def test_a_jump_too_small_to_be_seen_is_forgotten_with_time(seed):
    dice = random.Random(seed)
    peer, way, estimate = PeerClock(dice, steady=True), Way(dice, jitter_s=0.001), OffsetEstimate()
    peer.rates = [dice.uniform(-50e-6, 50e-6)]
    for count in range(20):
        estimate.add(way.probe(peer, count * 0.5))
    hidden_s = error_of(estimate, peer, 10.0)[1]
    peer.step(hidden_s)
    for count in range(20, 200):
        estimate.add(way.probe(peer, count * 0.5))
    wrong_s, bound_s = error_of(estimate, peer, 100.0)  # after more than hidden_s / 50 ppm
    assert hidden_s / 50e-6 < 90
    assert wrong_s <= bound_s


def test_another_process_at_the_peers_address_is_estimated_anew():
    dice = random.Random(5)
    peer, way, estimate = PeerClock(dice), Way(dice, 0.2, 0.2), OffsetEstimate()
    estimate.follow("")
    estimate.add(way.probe(peer, 0.0))
    estimate.follow("first")
    assert estimate.at(EPOCH_S), "that its epoch is heard at last is no change"
    estimate.follow("first")
    estimate.follow("second")
    assert estimate.at(EPOCH_S) is None
    peer.step(0.1)  # within the old bounds, and so no contradiction
    estimate.add(way.probe(peer, 1.0))
    wrong_s, bound_s = error_of(estimate, peer, 1.5)
    assert wrong_s <= bound_s
    assert estimate.steps == 0


def test_readings_that_contradict_themselves_are_passed_over():
    estimate = OffsetEstimate()
    estimate.add(Probed(10.0, 5.0, 7.0, 11.0))  # the peer claims 2 s of our 1 s
    estimate.add(Probed(10.0, 5.0, 5.0, 9.0))
    assert estimate.at(0.0) is None
    estimate.add(Probed(10.0, 5.1, 5.2, 10.3))
    told = estimate.at(10.3)
    assert told
    assert told.offset_s == pytest.approx(-5.0, abs=1e-4)
    assert told.bound_s == pytest.approx(0.1, abs=1e-4)
    assert told.round_trip_s == pytest.approx(0.2)


def test_what_is_remembered_is_bounded_and_drift_outlives_a_spell_of_bad_weather():
    dice = random.Random(2)
    peer, estimate = PeerClock(dice, steady=True), OffsetEstimate()
    for count in range(5000):
        way = Way(dice, 0.0002, 0.0002, jitter_s=0.5 if count % 100 < 90 else 0.0)
        estimate.add(way.probe(peer, count * 1.0))
    assert len(estimate._best) == 64
    told = estimate.at(EPOCH_S + 5000)
    assert told
    assert told.drift_ppm == pytest.approx(peer.rates[0] * 1e6, abs=told.drift_bound_ppm)
    assert told.drift_bound_ppm < 20
    assert told.round_trip_s < 0.001


def test_the_round_trip_is_the_shortest_also_where_a_slow_exchange_told_more():
    estimate = OffsetEstimate()
    estimate.add(Probed(10.0, 10.0005, 10.0005, 10.001))  # offset within +-0.5 ms
    estimate.add(Probed(10.1, 10.1000, 10.1000, 10.300))  # slow, and all of it on the way back
    told = estimate.at(10.3)
    assert told
    assert told.bound_s < 0.0005
    assert told.round_trip_s == pytest.approx(0.001)
