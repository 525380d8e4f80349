"""Streams, blocks and writers in other processes for the tests of rings."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from rigctl.blocks import Block, BlockFlags, Channel, Marker, StreamInfo
from rigctl.processes import ProcessId

_SCRIPT = Path(__file__).with_name("ring_writer.py")


def info(dtype: str = "int64", shape: tuple[int, ...] = (2,)) -> StreamInfo:
    names = range(shape[0]) if len(shape) == 1 else ()
    channels = tuple(Channel(f"c{n}") for n in names)
    return StreamInfo(dtype, shape, Fraction(1000, 3), channels)


def frames(start: int, stop: int) -> np.ndarray:
    """Frames that tell their own index, twice."""
    index = np.arange(start, stop)
    return np.stack([index, ~index], axis=1)


def block(
    start: int,
    points: int,
    counter: int = 0,
    markers: tuple[Marker, ...] = (),
    flags: BlockFlags = BlockFlags.NONE,
) -> Block:
    return Block(frames(start, start + points), counter, start / 1000, markers, flags)


def abandon(folder: Path) -> None:
    """Make a ring's writer look gone: its process id belongs to a later process (this one)."""
    process = ProcessId.current()
    (folder / "writer").write_text(f"{process.pid} {process.start - 1}\n")


class WriterProcess:
    """A ring writer in a process of its own that does what it is told, see `ring_writer`."""

    def __init__(
        self, name: str, base: Path, capacity: int, mirrored: bool = True, locked: bool = False
    ) -> None:
        arguments = [name, str(base), str(capacity), str(int(mirrored)), str(int(locked))]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.streams.ring_writer", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_SCRIPT.parents[2],
        )
        self.wait_for_answer()

    def tell(self, command: str) -> None:
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def wait_for_answer(self) -> str:
        answer = self._process.stdout.readline().strip()
        assert answer, "the writer process has ended"
        return answer

    def ask(self, command: str) -> str:
        self.tell(command)
        return self.wait_for_answer()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
