"""Writers in other processes for the ring's measurements: at full speed, or at a steady pace.

From: `benchmarks.ring_reading`.  To: the same, through rings and a bare pipe.

python -m benchmarks.ring_processes flood NAME MIRRORED LOCKED
python -m benchmarks.ring_processes pace NAME BLOCKS PIPE
"""

import contextlib
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

import numpy as np

from rigctl.blocks import Block, StreamInfo
from rigctl.streams import Ring, RingWriter, folders, layout

BLOCKS_HZ = 250
STAMPED = StreamInfo("int64", (64,), Fraction(5000))
INDEXED = StreamInfo("int64", (2,), Fraction(5000))
_STAMP = struct.Struct("q")


@dataclass
class Woken:
    """What a reader that waited for each block went through."""

    p99_us: float
    """From just before the block was written until the reader was awake; it reads it then."""
    cpu: float
    """The reader's share of a core."""


@contextlib.contextmanager
def flooding(name: str, mirrored: bool, locked: bool) -> Iterator[None]:
    """Write a small ring at full speed, frames that tell their index, twice."""
    with _process("flood", name, str(int(mirrored)), str(int(locked))) as process:
        try:
            yield
        finally:
            process.kill()
            process.wait()
            folders.remove(folders.folder_of(name))


class Pacer:
    """A writer of 250 blocks a second into a ring, or of as many stamps into a bare pipe.

    Args:
        name: the ring's.
        blocks: in a round.
    """

    def __init__(self, name: str, blocks: int) -> None:
        self._name, self._blocks = name, blocks

    @contextlib.contextmanager
    def running(self) -> Iterator["Pacer"]:
        """Have it in a process of its own."""
        self._stamps, far = os.pipe()
        try:
            with _process("pace", self._name, str(self._blocks), str(far), fds=(far,)) as process:
                self._process = process
                yield self
                assert process.stdin
                process.stdin.close()
        finally:
            os.close(far)
            os.close(self._stamps)

    def ring_round(self, ring: Ring) -> Woken:
        """Let it write the ring, and wait for each block."""
        starts = count(ring.head, 20)

        def late_ns() -> int:
            start = next(starts)
            assert ring.wait(start, 60)
            woken_ns = time.monotonic_ns()
            with ring.view(start, start + 20) as samples:
                return woken_ns - int(samples[-1, 0])

        return self._round("ring", late_ns)

    def pipe_round(self) -> Woken:
        """Let it write the pipe, and wait for each stamp."""
        poll = select.poll()
        poll.register(self._stamps, select.POLLIN)

        def late_ns() -> int:
            poll.poll(60_000)
            raw = os.read(self._stamps, _STAMP.size)
            woken_ns = time.monotonic_ns()
            stamp: int = _STAMP.unpack(raw)[0]
            return woken_ns - stamp

        return self._round("pipe", late_ns)

    def _round(self, what: str, late_ns: Callable[[], int]) -> Woken:
        process = self._process
        assert process.stdin
        process.stdin.write(f"{what}\n")
        process.stdin.flush()
        late_us, began_s, cpu_s = [], time.monotonic(), time.process_time()
        for _ in range(self._blocks):
            late_us.append(late_ns() / 1e3)
        cpu = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
        return Woken(float(np.percentile(late_us, 99)), cpu)


@contextlib.contextmanager
def _process(*arguments: str, fds: tuple[int, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", __name__, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, pass_fds=fds) as process:
        assert process.stdout
        if not process.stdout.readline():
            raise RuntimeError(f"{' '.join(command)} ended at once")
        yield process


def _flood(name: str, mirrored: str, locked: str) -> None:
    layout.TOTAL_STORE_ORDER = locked == "0"
    points, ahead = 20, 20_000
    with RingWriter.create(name, INDEXED, 2048, mirrored=mirrored == "1") as writer:
        _say_ready()
        for lap in count():
            index = np.arange(lap * ahead, (lap + 1) * ahead)
            frames = np.stack([index, ~index], axis=1)
            for start in range(0, ahead, points):
                writer.write(Block(frames[start : start + points], 0, 1.0))


def _pace(name: str, blocks: str, pipe: str) -> None:
    with RingWriter.create(name, STAMPED, 5000) as writer:
        _say_ready()
        frames = np.zeros((20, 64), np.int64)

        def write_ring(stamp: int) -> None:
            frames[:] = stamp
            writer.write(Block(frames, 0, 1.0))

        def write_pipe(stamp: int) -> None:
            os.write(int(pipe), _STAMP.pack(stamp))

        for line in sys.stdin:
            write = {"ring": write_ring, "pipe": write_pipe}[line.strip()]
            due_s = time.monotonic()
            for _ in range(int(blocks)):
                due_s += 1 / BLOCKS_HZ
                time.sleep(max(due_s - time.monotonic(), 0))
                write(time.monotonic_ns())


def _say_ready() -> None:
    print("ready", flush=True)


if __name__ == "__main__":
    {"flood": _flood, "pace": _pace}[sys.argv[1]](*sys.argv[2:])
