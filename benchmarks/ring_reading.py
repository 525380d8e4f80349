"""Reading a ring: views, waking, what a batch costs as a view, and whether reads are torn.

From: `benchmarks.ring`.  To: the same: its rows.
"""

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial

import numpy as np

from benchmarks.ring_processes import Pacer, flooding
from benchmarks.table import Row, in_turns, median, ratio, timed
from rigctl.blocks import Block, StreamInfo
from rigctl.errors import NotYet, Overrun
from rigctl.streams import Cursor, Ring, RingWriter

POINTS = 64
PROBES = StreamInfo("int16", (384,), Fraction(30_000))
"""What the recorder is measured with: a batch of 100 ms is 2.3 MB."""
SIGNALS = StreamInfo("float32", (64,), Fraction(5000))


def run(name: str, quick: bool) -> list[Row]:
    """Return the rows of a ring of that name."""
    rows = [*_showing(name, quick), _batches(name, quick), *_waking(name, quick)]
    for mirrored, locked in ((True, False), (False, False), (True, True)):
        count = (10_000 if quick else 1_000_000) // (20 if locked else 1)
        rows.append(_torn(name, mirrored, locked, count))
    return rows


def _showing(name: str, quick: bool) -> Iterator[Row]:
    """Yield what a view across the wrap costs: no copy, however long it is."""
    with RingWriter.create(name, SIGNALS, 300_000) as writer, Ring.attach(name) as ring:
        while writer.head < writer.capacity + 10_000:
            writer.write(Block(np.zeros((5000, 64), np.float32), 0, 1.0))
        for points in (100, 10_000):
            start, count = ring.capacity - points // 2, 1000 if quick else 20_000
            views = timed(partial(_view, ring, start, start + points, count))
            times = in_turns(views, timed(partial(_copy_window, ring, points, count // 100)))
            each = [t / count * 1e6 for t in times[0]]
            copies = [t / (count // 100) * 1e6 for t in times[1]]
            yield Row(
                f"view of {points} frames across the wrap",
                f"{median(each):.2f} µs",
                f"{median(copies):.2f} µs (copy)",
                ratio(each, copies),
                "no copy, < 2 µs",
            )


def _batches(name: str, quick: bool) -> Row:
    """Return what a batch of the recorder's size costs from writing to the disk's door."""
    count = 20 if quick else 100
    with RingWriter.create(name, PROBES, 60_000) as writer, Ring.attach(name) as ring:
        block = Block(np.ones((3000, 384), np.int16), 0, 1.0)
        sink = os.open(os.devnull, os.O_WRONLY)

        def passed(take: Callable[[Cursor, int], None]) -> None:
            cursor = ring.cursor()
            for _ in range(count):
                writer.write(block)
                take(cursor, sink)

        ours, theirs = in_turns(timed(lambda: passed(_show)), timed(lambda: passed(_copy)))
        os.close(sink)
    own, other = (median(times) / count * 1e3 for times in (ours, theirs))
    what = "2.3 MB into the ring and out, as a view"
    return Row(what, f"{own:.2f} ms", f"{other:.2f} ms (as a copy)", ratio(ours, theirs), "")


def _show(cursor: Cursor, sink: int) -> None:
    with cursor.view(3000) as batch:
        assert batch
        os.write(sink, batch.samples.data)


def _copy(cursor: Cursor, sink: int) -> None:
    batch = cursor.read(3000)
    assert batch
    os.write(sink, batch.samples.data)


def _waking(name: str, quick: bool) -> Iterator[Row]:
    """Yield how long a waiting reader sleeps on, and what of a core it takes at 250 blocks/s."""
    blocks = 50 if quick else 500
    with Pacer(name, blocks).running() as pacer, Ring.attach(name) as ring:
        rounds = [(pacer.ring_round(ring), pacer.pipe_round()) for _ in range(5)]
    (ours, shares), (theirs, bare_shares) = (
        ([r[side].p99_us for r in rounds], [r[side].cpu for r in rounds]) for side in (0, 1)
    )
    yield Row(
        "waking a reader in another process, 99th percentile",
        f"{median(ours):.0f} µs",
        f"{median(theirs):.0f} µs (a bare pipe)",
        ratio(ours, theirs),
        "< 150 µs",
    )
    yield Row(
        "a reader's share of a core, 250 blocks/s",
        f"{median(shares):.2%}",
        f"{median(bare_shares):.2%} (a bare pipe)",
        ratio(shares, bare_shares),
        "< 1 %",
    )


def _torn(name: str, mirrored: bool, locked: bool, count: int) -> Row:
    """Return how many of the oldest windows that were accepted were torn, at full speed."""
    with flooding(name, mirrored, locked), Ring.attach(name) as ring:
        torn, refused = _read_oldest(ring, count)
    path = "mirrored" if mirrored else "doubled"
    return Row(
        f"torn reads accepted, oldest windows, {path}{', by lock' if locked else ''}",
        f"{torn} of {count:,}",
        f"{refused:,} refused",
        "",
        "0",
    )


def _read_oldest(ring: Ring, count: int) -> tuple[int, int]:
    ring.wait(ring.capacity, 60)
    index = np.arange(POINTS)
    accepted = torn = refused = 0
    while accepted < count or not refused:
        # The very oldest is gone before it is copied; what is torn at all is just behind it.
        start = ring.tail + 37 * accepted % 100
        try:
            got = ring.read(start, start + POINTS)
        except (Overrun, NotYet):
            refused += 1
            continue
        accepted += 1
        torn += not ((got[:, 0] - start == index).all() and (got[:, 1] == ~got[:, 0]).all())
    return torn, refused


def _view(ring: Ring, start: int, stop: int, count: int) -> None:
    for _ in range(count):
        with ring.view(start, stop):
            pass


def _copy_window(ring: Ring, points: int, count: int) -> None:
    for _ in range(count):
        ring.read(ring.capacity - points // 2, ring.capacity + points // 2)
