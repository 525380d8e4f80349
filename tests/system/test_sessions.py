"""Whole sessions of four real rigs over a bad network: all completed, each effect once."""

import pytest

from benchmarks.sessions import BAD, survive
from rigctl.net.weather import Weather, Window

ROUGH = Weather(loss=0.2, duplication=0.2, reordering=0.2, jitter_s=0.01)
PARTED = Weather(loss=0.05, partitions=(Window.periodic(2.0, 0.5),))


@pytest.mark.parametrize(
    ("weather", "sessions", "seed"), [(BAD, 15, 1), (ROUGH, 4, 2), (PARTED, 6, 3)]
)
def test_sessions_are_completed_and_each_effect_happens_once(weather, sessions, seed):
    survived = survive(sessions, weather, seed)
    assert (survived.completed, survived.errors) == (sessions, []), f"seed {seed}"
    assert (survived.twice, survived.missing) == (0, 0), f"seed {seed}"
