"""The clock that is told to peers, against wall clocks that are stepped, slewed and read late."""

import pytest

from rigctl.net.clock import RigClock


class Computer:
    """Two clocks, and readings that may be interrupted."""

    def __init__(self) -> None:
        self.wall_s, self.monotonic_s = 1.7e9, 5000.0
        self.pauses: list[float] = []
        """How long the next readings of the wall clock are held up."""

    def wall(self) -> float:
        now = self.wall_s
        self.pass_by(self.pauses.pop(0) if self.pauses else 0.0)
        return now

    def monotonic(self) -> float:
        return self.monotonic_s

    def pass_by(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds


@pytest.fixture
def computer():
    return Computer()


def made(computer: Computer) -> RigClock:
    return RigClock(computer.wall, computer.monotonic)


def test_it_starts_as_the_wall_clock_and_goes_on(computer):
    clock = made(computer)
    assert clock.now().clock == computer.wall_s
    computer.pass_by(12.5)
    assert clock.now().clock == computer.wall_s
    assert clock.now().monotonic == computer.monotonic_s
    assert clock.wall_step_s() == 0


@pytest.mark.parametrize("by_s", [3600.0, -0.25, 0.02])
def test_it_never_jumps_when_the_wall_clock_is_stepped_and_says_by_how_much(computer, by_s):
    clock = made(computer)
    before = clock.now().clock
    computer.wall_s += by_s
    assert clock.now().clock == before
    assert clock.wall_step_s() == pytest.approx(by_s)


def test_a_process_that_is_put_aside_between_two_readings_sees_no_step(computer):
    computer.pauses = [0.5, 0.2, 0.0]
    clock = made(computer)
    assert clock.now().clock == pytest.approx(computer.wall_s)
    computer.pauses = [0.5, 0.5]
    assert clock.wall_step_s() == pytest.approx(0)
    computer.pauses = [0.5] * 100
    assert clock.wall_step_s() == pytest.approx(0), "nothing is concluded from readings like these"


def test_a_step_is_still_known_while_nothing_can_be_read_clearly(computer):
    clock = made(computer)
    computer.wall_s += 5
    assert clock.wall_step_s() == pytest.approx(5)
    computer.pauses = [0.5] * 100
    assert clock.wall_step_s() == pytest.approx(5)


def test_the_real_clocks_agree():
    assert abs(RigClock().wall_step_s()) < 0.01
