"""What becomes of what is sent over a bad network: the same every time for the same seed (pure).

From: `net.chaos` (real sockets), simulations, each with its own clock.  To: the same.

A packet may be lost, doubled, held back so that later ones overtake it, delayed, damaged, or meet a
partition, in which it is lost, too.  Of a stream nothing is lost and nothing overtakes: its pieces
are delayed, a partition stalls them, and the whole connection may be cut.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

_Roll = Callable[[], float]


class Direction(StrEnum):
    """Which way something goes."""

    TO_RIG = "to rig"
    FROM_RIG = "from rig"


@dataclass(frozen=True, slots=True)
class Window:
    """A partition: for a while, once or periodically, nothing gets through.

    Raises:
        ValueError: it takes no time, or never ends.
    """

    start_s: float
    """When it begins (the first time), in seconds after the forecast's beginning."""
    for_s: float
    every_s: float = math.inf
    """From one beginning to the next; infinity if there is only one."""

    def __post_init__(self) -> None:
        if not (self.start_s >= 0 and 0 < self.for_s < self.every_s):
            raise ValueError(
                f"a partition of {self.for_s:g} s in every {self.every_s:g} s cannot be: "
                "it takes some time, and less than from one to the next"
            )

    @classmethod
    def periodic(cls, every_s: float, for_s: float) -> "Window":
        """Return a partition at the end of each period, so that things can begin."""
        return cls(every_s - for_s, for_s, every_s)

    def ends_at(self, elapsed_s: float) -> float:
        """Return when the partition of an instant ends; the instant itself if there is none."""
        since_s = elapsed_s - self.start_s
        if since_s < 0:
            return elapsed_s
        into_s = since_s if math.isinf(self.every_s) else since_s % self.every_s
        return elapsed_s + max(self.for_s - into_s, 0.0)


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad a network is; probabilities lie between 0 and 1.

    Raises:
        ValueError: a value is impossible; names it.
    """

    loss: float = 0.0
    """Of a packet."""
    duplication: float = 0.0
    reordering: float = 0.0
    """That a packet is held back, so that later ones overtake it."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """By how much more than `delay_s` something may take."""
    corruption: float = 0.0
    """That one bit of a packet is flipped."""
    partitions: tuple[Window, ...] = ()
    hold_s: float = 0.05
    """How long a packet is held back at the most, half of it at the least."""
    cut: float = 0.0
    """That a piece of a stream breaks its connection instead of arriving."""
    cut_after_s: float = math.inf
    """How long a partition must be to break connections on which something is to be carried."""

    def __post_init__(self) -> None:
        for name in ("loss", "duplication", "reordering", "corruption", "cut"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} of {getattr(self, name):g} does not lie in 0 to 1")
        for name in ("delay_s", "jitter_s", "hold_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} of {getattr(self, name):g} is no time")

    def clear_at(self, elapsed_s: float) -> float:
        """Return when something gets through again; the instant itself if it does now."""
        for _ in self.partitions:  # one may begin before another ends
            elapsed_s = max(window.ends_at(elapsed_s) for window in self.partitions)
        return elapsed_s


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one packet."""

    delays_s: tuple[float, ...]
    """After what time each copy arrives; none if it is lost."""
    parted: bool = False
    """Whether it is lost because of a partition."""
    held: bool = False
    """Whether it is held back."""
    damage: float | None = None
    """Which bit is flipped, between 0 (the first) and 1 (beyond the last); None if none is."""

    def arriving(self, data: bytes) -> bytes:
        """Return what arrives of a packet's bytes."""
        if self.damage is None or not data:
            return data
        byte, bit = divmod(int(self.damage * len(data) * 8), 8)
        return data[:byte] + bytes([data[byte] ^ (1 << bit)]) + data[byte + 1 :]


@dataclass(frozen=True, slots=True)
class Passage:
    """What becomes of one piece of a stream."""

    delay_s: float
    """After what time it arrives, stalls included."""
    stalled: bool = False
    """Whether a partition is in its way."""
    cut: bool = False
    """Whether the connection breaks instead, after that time."""


@dataclass(slots=True)
class Forecast:
    """The fates of all that passes between one controller's side and one rig.

    The n-th packet of a direction has the same dice for the same seed, whenever it comes; only
    partitions go by the clock.

    Args:
        weather: how bad it is; it may be replaced meanwhile.
        seed: names the dice.
        began_s: when it begins, on the clock of those who ask; partitions are reckoned from it.
    """

    weather: Weather
    seed: int | str
    began_s: float = 0.0
    _dice: dict[tuple[Direction, str], _Roll] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kinds = [(direction, kind) for direction in Direction for kind in ("packets", "pieces")]
        self._dice = {key: random.Random(f"{self.seed} {' '.join(key)}").random for key in kinds}

    def packet(self, now_s: float, direction: Direction) -> Fate:
        """Return what becomes of a packet that is sent now."""
        weather, roll = self.weather, self._dice[direction, "packets"]
        # Always as many rolls, so that what becomes of one changes nothing for those after it.
        lost, doubled, held = roll(), roll(), roll()
        damaged, where, how_long, first, second = (roll() for _ in range(5))
        if self._clear_in_s(now_s) > 0:
            return Fate((), parted=True)
        if lost < weather.loss:
            return Fate(())
        delays_s = [weather.delay_s + weather.jitter_s * first]
        if is_held := held < weather.reordering:
            delays_s[0] += weather.hold_s * (1 + how_long) / 2
        if doubled < weather.duplication:
            delays_s.append(weather.delay_s + weather.jitter_s * second)
        damage = where if damaged < weather.corruption else None
        return Fate(tuple(delays_s), held=is_held, damage=damage)

    def piece(self, now_s: float, direction: Direction) -> Passage:
        """Return what becomes of a piece of a stream that is sent now."""
        weather, roll = self.weather, self._dice[direction, "pieces"]
        cut, jitter = roll() < weather.cut, roll()
        opening = self.opening(now_s)
        if opening.cut:
            return opening
        delay_s = opening.delay_s + weather.delay_s + weather.jitter_s * jitter
        return Passage(delay_s, opening.stalled, cut)

    def opening(self, now_s: float) -> Passage:
        """Return what becomes of a stream that is to be opened now."""
        stall_s, longest_s = self._clear_in_s(now_s), self.weather.cut_after_s
        return Passage(min(stall_s, longest_s), stalled=stall_s > 0, cut=stall_s > longest_s)

    def _clear_in_s(self, now_s: float) -> float:
        elapsed_s = now_s - self.began_s
        return self.weather.clear_at(elapsed_s) - elapsed_s
