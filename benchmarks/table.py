"""Rows of results: what was measured, beside a peer or a limit of the same run, and the ratio."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One result."""

    what: str
    ours: str
    beside: str
    ratio: str
    target: str


def median(values: Sequence[float]) -> float:
    """Return the median of at least five values."""
    if len(values) < 5:
        raise ValueError("a median of less than five measurements says nothing")
    return statistics.median(values)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Return the median of the ratios of measurements that were taken in turns."""
    return f"{median([a / b for a, b in zip(ours, theirs, strict=True)]):.2f}"


Timed = Callable[[], float]
"""Does something and returns the seconds that it took."""


def timed(work: Callable[[], object]) -> Timed:
    """Return what does the work and tells how long it took."""

    def measured() -> float:
        begin_s = time.perf_counter()
        work()
        return time.perf_counter() - begin_s

    return measured


def in_turns(*works: Timed, rounds: int = 15) -> list[list[float]]:
    """Do each in turn, several times over; return the seconds of each."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for times, work in zip(found, works, strict=True):
            times.append(work())
    return found


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table."""
    lines = ["| what | rigctl | beside | ratio | target |", "|---|---|---|---|---|"]
    lines += [f"| {r.what} | {r.ours} | {r.beside} | {r.ratio} | {r.target} |" for r in rows]
    return "\n".join(lines) + "\n"
