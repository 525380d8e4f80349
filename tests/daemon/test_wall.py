"""Steps of the wall clock: each is told once, whatever else happens to clocks."""

import logging

import pytest

from rigctl.daemon.wall import Steps, WallWatch
from rigctl.net.clock import RigClock


class Watched:
    """A rig's clock on a computer whose wall clock may be set."""

    def __init__(self) -> None:
        self.wall_s, self.monotonic_s = 1.7e9, 100.0
        self.conditions = []
        clock = RigClock(lambda: self.wall_s, lambda: self.monotonic_s)
        self.watch = WallWatch(clock, self.conditions.append)

    def look(self, stepped_s: float = 0.0) -> None:
        self.wall_s += 0.5 + stepped_s
        self.monotonic_s += 0.5
        self.watch.look()


def test_a_step_is_told_once_and_the_way_back_is_another(caplog):
    watched = Watched()
    watched.look()
    assert watched.conditions == []
    watched.look(3600)
    watched.look()
    watched.look()
    (told,) = watched.conditions
    assert (told.condition, told.stream) == ("CLOCK", "")
    assert "the wall clock of this computer was stepped by +3600.000 s" in told.reason
    watched.look(-3600)
    assert "-3600.000 s" in watched.conditions[1].reason
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings == [told.reason for told in watched.conditions]


def test_steps_without_end_fill_no_report(caplog):
    watched = Watched()
    for _ in range(100):
        watched.look(1)
    assert len(watched.conditions) == 10
    assert len(caplog.records) == 100


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ([0.0, 0.009, -0.009], []),
        ([0.0, 0.010], [0.010]),
        ([0.008, 0.016, 0.016], [0.016]),
        ([-5.0, -5.001, -5.02], [-5.0, -0.02]),
    ],
)
def test_what_is_too_small_is_told_when_it_has_added_up(seen, told):
    steps = Steps()
    changes = [steps.look(difference_s) for difference_s in seen]
    assert [change for change in changes if change is not None] == pytest.approx(told)
