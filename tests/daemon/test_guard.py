"""The disk guard: what has no room does not begin; what runs is ended in time, and never for less.

Two simulations go by a clock of their own: a day beside a program that fills and frees the disk,
and disks that fill for good, at any rate of ours and of others.
"""

import random
from dataclasses import dataclass, field

import pytest

from rigctl.config.keeping import DiskLimits
from rigctl.daemon.guard import HOLD_S, Budget, Guard, Level, Load, Space

GB, MB = 10**9, 10**6
LIMITS = DiskLimits(floor_bytes=GB, reserve_bytes=GB)
PROBE = Load(23 * MB, 60 * 23 * MB)
ENDING_S = 13.0


def guard(load: Load = PROBE, limits: DiskLimits = LIMITS) -> Guard:
    made = Guard(limits, ENDING_S)
    made.load = load
    return made


def levels(made: Guard, *free: float, every_s: float = 1.0) -> list[Level]:
    return [made.look(at * every_s, Space(int(one), 40 * 23 * MB)) for at, one in enumerate(free)]


# --- the budget


def test_what_has_room_is_let_through() -> None:
    budget = Budget(PROBE, 3600, 2 * GB)
    need = 23 * MB * 3660
    assert budget.shortfall(Space(need + 2 * GB), "/data") == ""
    assert budget.shortfall(Space(need + 2 * GB - 1), "/data") != ""


def test_what_lacks_room_is_told_with_figures_and_what_to_do() -> None:
    said = Budget(PROBE, 3600, 2 * GB).shortfall(Space(40 * GB), "/data")
    assert said == (
        "the recording needs 84.2 GB for 1 h and 2 GB are to stay free; 40 GB are free in /data: "
        "free 46.4 GB, or record for at most 26 min (--for, or disk.duration in the rig file)"
    )


@pytest.mark.parametrize("seed", range(20))
def test_both_ways_out_that_are_offered_are_ways_out(seed: int) -> None:
    chance = random.Random(seed)
    rate = 10 ** chance.uniform(4, 8.3)
    load, keep = Load(rate, 60 * rate), int(chance.uniform(0, 5 * GB))
    free = Space(int(rate * chance.uniform(600, 6000)))
    budget = Budget(load, chance.uniform(7000, 90_000), keep)
    said = budget.shortfall(free, "/data")
    freed = _bytes(said.split("free ")[-1].split(",")[0])
    assert budget.shortfall(Space(free.free_bytes + int(freed)), "/data") == ""
    if "at most" in said:
        shorter = _seconds(said.split("at most ")[1].split(" (")[0])
        assert Budget(load, shorter, keep).shortfall(free, "/data") == ""


def _bytes(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"GB": 1e9, "MB": 1e6, "kB": 1e3, "TB": 1e12}[unit]


def _seconds(text: str) -> float:
    parts = text.split()
    units = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    return sum(float(n) * units[unit] for n, unit in zip(parts[::2], parts[1::2], strict=True))


def test_no_duration_is_offered_that_is_none() -> None:
    said = Budget(PROBE, 3600, 2 * GB).shortfall(Space(3 * GB), "/data")
    assert said.endswith("3 GB are free in /data: free 83.6 GB")


def test_streams_may_need_half_of_what_a_disk_was_measured_to_take() -> None:
    budget = Budget(PROBE, 60, 0)
    assert budget.slowness(46 * MB, "/data") == ""
    assert budget.slowness(40 * MB, "/data") == (
        "the streams bring 23 MB/s and /data was measured to take 40 MB/s, of which half is safe: "
        "record fewer streams, or to a faster disk (data_root)"
    )


# --- the floor


def test_what_is_low_is_said_at_once_and_taken_back_well_above_it() -> None:
    assert levels(guard(), 2.1 * GB, 1.99 * GB, 2.05 * GB, 1.99 * GB, 2.11 * GB) == [
        Level.OK,
        Level.LOW,
        Level.LOW,
        Level.LOW,
        Level.OK,
    ]


def test_a_recording_is_ended_when_less_than_the_floor_stays_free() -> None:
    held = int(HOLD_S)
    found = levels(guard(), *[0.9 * GB] * (held + 1))
    assert found == [Level.LOW] * held + [Level.STOP]


def test_a_look_above_the_floor_begins_the_wait_anew() -> None:
    dip = [0.1 * GB] * int(HOLD_S)
    assert Level.STOP not in levels(guard(), *dip, 1.0 * GB, *dip, 1.5 * GB, *dip)


def test_what_is_ended_stays_so() -> None:
    assert levels(guard(), *[0.0] * 11, 900 * GB)[-1] is Level.STOP


def test_nothing_is_waited_for_when_what_was_reserved_comes_to_its_end_too() -> None:
    made = guard()
    assert made.look(0, Space(10 * MB, int(PROBE.ahead_bytes))) is Level.LOW
    assert made.look(1, Space(10 * MB, 100 * MB)) is Level.STOP


def test_a_floor_of_nothing_ends_nothing() -> None:
    made = guard(limits=DiskLimits(0, 0))
    assert levels(made, *[0.0] * 30) == [Level.OK] * 30
    assert made.floor_bytes == 0


def test_the_floor_of_a_fast_stream_is_what_ending_it_takes() -> None:
    fast = Load(400 * MB, 60 * 400 * MB)
    assert guard(fast).floor_bytes == 400 * MB * 32
    assert guard().floor_bytes == GB


def test_how_long_it_lasts_counts_what_is_reserved_already() -> None:
    assert guard().lasts_s(Space(GB + 23 * MB * 100, 23 * MB * 20)) == pytest.approx(120)
    assert guard().lasts_s(Space(0)) == 0
    assert guard(Load()).lasts_s(Space(GB)) is None


# --- simulated disks


@dataclass
class SimulatedDisk:
    """A disk, one recording that reserves ahead on it as `recording.space` does, and others."""

    free: float
    load: Load
    reserves: bool = True
    ahead: float = 0.0
    is_full: bool = field(default=False, init=False)
    """Whether the recording has met the end of the disk."""

    def record(self, seconds: float) -> None:
        """Write what has come, reserve again."""
        want = self.load.bytes_s * seconds
        from_ahead = min(want, self.ahead)
        self.ahead -= from_ahead
        self.free -= want - from_ahead
        self.is_full = self.is_full or self.free < 0
        if self.reserves and self.ahead <= self.load.ahead_bytes / 2:
            more = self.load.ahead_bytes - self.ahead
            self.reserves = more <= self.free  # given up once and for all, as there
            if self.reserves:
                self.free, self.ahead = self.free - more, self.ahead + more

    def others(self, want: float) -> float:
        """Have another program write; return what found room."""
        got = min(want, self.free)
        self.free -= got
        return got

    @property
    def space(self) -> Space:
        return Space(int(self.free), int(self.ahead))


DAYS = range(3)
DAY_S = 86_400


@pytest.mark.parametrize("seed", DAYS)
def test_a_day_beside_a_program_that_fills_and_frees_the_disk_gives_no_false_stop(
    seed: int,
) -> None:
    chance = random.Random(seed)
    load = Load(MB, 60 * MB)
    disk, made = SimulatedDisk(DAY_S * MB + 40 * GB, load), guard(load)
    theirs = lows = dips = 0.0
    sharp = 0  # seconds until what filled the disk in one go is gone again
    for now in range(DAY_S):
        disk.record(1)
        if sharp == 1:
            disk.free, theirs = disk.free + theirs, 0.0
        elif sharp == 0 and chance.random() < 0.002:
            # Down to anything, below the floor too, but there for less than what is waited.
            theirs += disk.others(max(disk.free - chance.uniform(0, 2.2 * GB), 0.0))
            sharp = chance.randint(2, int(HOLD_S))
            dips += disk.free < GB
        elif sharp == 0:
            step = chance.gauss(0, 200 * MB)
            room = max(disk.free - 1.2 * GB, 0.0)
            freed = min(max(-step, 0.0), theirs)
            theirs += disk.others(min(max(step, 0.0), room)) - freed
            disk.free += freed
        sharp = max(sharp - 1, 0)
        level = made.look(now, disk.space)
        lows += level is Level.LOW
        assert level is not Level.STOP, f"at {now} s with {disk.space}"
    assert dips > 30 and lows > 100, "the day was no test"
    assert not disk.is_full


FILLS = range(100)


@pytest.mark.parametrize("others", [False, True])
def test_a_disk_that_fills_for_good_is_left_before_its_end(others: bool) -> None:
    for seed in FILLS:
        chance = random.Random(seed)
        rate = 10 ** chance.uniform(4, 8.5)
        load = Load(rate, 60 * rate)
        made = guard(load, DiskLimits(int(chance.uniform(1, 3e9)), int(chance.uniform(0, 1e9))))
        # Who fills it alone needs no reservation; another program may be as fast as it likes.
        reserves = others or chance.random() < 0.5
        disk = SimulatedDisk(made.low_bytes + rate * chance.uniform(70, 900), load, reserves)
        theirs = 10 ** chance.uniform(5, 10) if others else 0.0
        _fill(disk, made, theirs, chance)
        assert not disk.is_full, f"seed {seed}: {rate:.0f} B/s, {theirs:.0f} B/s"


def _fill(disk: SimulatedDisk, made: Guard, theirs: float, chance: random.Random) -> None:
    """Record until the guard has ended it; each look tells of what was up to two seconds before."""
    step_s, now, seen = 0.5, chance.random(), disk.space
    warned = False
    while made.look(now, seen) is not Level.STOP:
        warned = warned or made.level is Level.LOW
        seen = disk.space
        for _ in range(2):
            disk.record(step_s)
            disk.others(theirs * step_s)
        now += 1
        assert now < 100_000
    assert warned, "ended without a warning"
    disk.record(ENDING_S)
