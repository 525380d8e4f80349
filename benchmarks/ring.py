"""Writing a ring, beside numpy's copy of the same bytes; and what else rings are measured for.

A 64-channel float32 stream at 5 kHz in a ring of a minute (77 MB), as amplifiers need it. The bare
copy is numpy's into an array of the same size in shared memory too: private memory may have huge
pages, which the system gives to shared memory only where it is told to.
"""

import mmap
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from benchmarks import ring_reading
from benchmarks.table import Row, Timed, in_turns, median, ratio, timed
from rigctl.blocks import Block, Burst, StreamInfo
from rigctl.streams import Ring, RingWriter, folders

CHANNELS, FRAMES = 64, 300_000
INFO = StreamInfo("float32", (CHANNELS,), Fraction(5000))
SOURCES = 16
"""So many blocks are written again and again: what was just received lies in the cache."""

_Floats = npt.NDArray[np.float32]


def run(quick: bool = False) -> list[Row]:
    """Return all rows."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    rows = [row for points in (100, 10) for row in _writing(name, points, quick)]
    return [*rows, _burst(name, quick), *ring_reading.run(name, quick)]


def _writing(name: str, points: int, quick: bool) -> Iterator[Row]:
    """Yield what writing costs: with nobody waiting, and with one reader."""
    blocks = _blocks(points)
    passes = (200 if quick else 30_000) // points
    target = "0.8" if points == 100 else "0.5"
    with RingWriter.create(name, INFO, FRAMES) as writer:
        plain = _shared_array(writer.capacity)
        sources = [block.samples for block in blocks]
        bare = timed(lambda: _copy(plain, sources, passes))
        method = timed(lambda: _put_all(_NumpyRing(plain), sources, passes))
        ours = timed(lambda: _write_all(writer, blocks, passes))
        of_bare, of_method, alone = in_turns(bare, method, ours)
        count = passes * SOURCES
        yield _row(f"write {points} points", alone, of_bare, count, "numpy's copy", target)
        yield _row(f"write {points} points", alone, of_method, count, "the same as a method", "")
        with Ring.attach(name) as reader:
            reader.fileno()  # from now on it is woken by each block
            of_bare, awaited = in_turns(bare, lambda: _drained(ours, reader))
        yield _row(f"... one reader woken, {points}", awaited, of_bare, count, "numpy's copy", "")


def _burst(name: str, quick: bool) -> Row:
    """Return what a burst of blocks of 10 costs, as received: a header lies before each."""
    blocks, points, passes = 25, 10, 20 if quick else 1500
    received = np.zeros((blocks, points * CHANNELS + 12), np.float32)
    samples = received[:, 12:].reshape(blocks, points, CHANNELS)
    burst = Burst(samples, 1, 1.0)
    with RingWriter.create(name, INFO, FRAMES) as writer:
        plain = _shared_array(writer.capacity)
        bare = timed(lambda: _copy(plain, list(samples), passes))
        ours = timed(lambda: _write_bursts(writer, burst, passes))
        of_bare, of_ours = in_turns(bare, ours)
    what = f"burst of {blocks} blocks of {points} points, per block"
    return _row(what, of_ours, of_bare, passes * blocks, "numpy's copy of each", "")


class _NumpyRing:
    """A ring of numpy alone: nobody could read it."""

    def __init__(self, frames: _Floats) -> None:
        self._frames, self._count, self._capacity = frames, 0, len(frames) // 2

    def put(self, samples: _Floats) -> None:
        at = self._count % self._capacity
        self._frames[at : at + len(samples)] = samples
        self._count += len(samples)


def _put_all(ring: _NumpyRing, sources: Sequence[_Floats], passes: int) -> None:
    for _ in range(passes):
        for samples in sources:
            ring.put(samples)


def _copy(frames: _Floats, sources: Sequence[_Floats], passes: int) -> None:
    at, capacity, points = 0, len(frames), len(sources[0])
    for _ in range(passes):
        for samples in sources:
            frames[at : at + points] = samples
            at += points
            if at + points > capacity:
                at = 0


def _write_all(writer: RingWriter, blocks: Sequence[Block], passes: int) -> None:
    for _ in range(passes):
        for block in blocks:
            writer.write(block)


def _write_bursts(writer: RingWriter, burst: Burst, passes: int) -> None:
    for _ in range(passes):
        writer.write_burst(burst)


def _drained(work: Timed, reader: Ring) -> float:
    reader.drain()  # else its FIFO would be full and cost nothing
    return work()


def _blocks(points: int) -> list[Block]:
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((SOURCES, points, CHANNELS)).astype(np.float32)
    return [Block(part, number, 1.0) for number, part in enumerate(samples)]


def _shared_array(frames: int) -> _Floats:
    """Return an array in shared memory that nobody else has."""
    with tempfile.TemporaryFile(dir=folders.base_folder()) as file:
        file.truncate(frames * INFO.frame_bytes)
        memory = mmap.mmap(file.fileno(), frames * INFO.frame_bytes)
    array = np.ndarray((frames, CHANNELS), np.float32, memory)
    array[:] = 0
    return array


def _row(
    what: str, ours: list[float], theirs: list[float], count: int, peer: str, target: str
) -> Row:
    own, other = (median(times) / count * 1e6 for times in (ours, theirs))
    aim = target and f">= {target}"
    return Row(what, f"{own:.2f} µs", f"{other:.2f} µs ({peer})", ratio(theirs, ours), aim)
