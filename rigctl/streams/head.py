"""The head of a ring: how far it is announced and published, and in what state it is.

From: the writer.  To: readers, in other processes.

A seqlock with one writer: it announces what it is about to overwrite, writes, and publishes. On
x86 stores are seen in their order, so plain aligned 8-byte stores do (measured: no torn read in
a million). Elsewhere every access to the counts takes the file's lock, which orders them.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import NamedTuple

from rigctl.errors import RingError
from rigctl.streams import layout
from rigctl.streams.layout import Plan, decode_plan, encode_plan
from rigctl.streams.mapping import create_file, map_file

_REASON_BYTES = layout.PLAN_BYTE - layout.REASON_BYTE


class Counts(NamedTuple):
    """One count for each of the three rings."""

    samples: int
    markers: int
    blocks: int


class Head:
    """Typed access to a mapped `head` file.

    Args:
        folder: the ring's.
        writable: whether this is the writer.

    Raises:
        OSError: it has no such file.
        RingError: it is not the head of a ring of this version.
    """

    def __init__(self, folder: Path, *, writable: bool) -> None:
        path = folder / layout.HEAD
        self._bytes = memoryview(map_file(path, writable=writable))
        if len(self._bytes) <= layout.PLAN_BYTE:
            raise RingError(f"{path} is not the head of a ring")
        self.words = self._bytes[: layout.REASON_BYTE].cast("q")
        """The counts and facts, see `layout`; only for who needs no lock."""
        self.times = self._bytes[: layout.REASON_BYTE].cast("d")
        if self.words[layout.MAGIC_AT] != layout.MAGIC:
            raise RingError(f"{path} is not the head of a ring of this version")
        size = self.words[layout.PLAN_SIZE_AT]
        self.plan = decode_plan(bytes(self._bytes[layout.PLAN_BYTE : layout.PLAN_BYTE + size]))
        self.capacity = self.plan.capacity
        self._fence: Fence | None = Fence(path) if self.plan.locked else None
        self._order = self._fence or contextlib.nullcontext()

    @classmethod
    def create(cls, folder: Path, plan: Plan) -> "Head":
        """Create the file and open it for writing."""
        raw = encode_plan(plan)
        words = bytearray(layout.PLAN_BYTE)
        view = memoryview(words).cast("q")
        view[layout.MAGIC_AT], view[layout.PLAN_SIZE_AT] = layout.MAGIC, len(raw)
        with create_file(folder / layout.HEAD, len(words) + len(raw)) as fd:
            os.pwrite(fd, bytes(words) + raw, 0)
        return cls(folder, writable=True)

    def announce(self, samples: int, markers: int, blocks: int) -> None:
        """Tell up to which counts will be written: what they replace is invalid from now on."""
        with self._order:
            self.words[layout.SAMPLES_BEGIN_AT] = samples
            self.words[layout.MARKERS_BEGIN_AT] = markers
            self.words[layout.BLOCKS_BEGIN_AT] = blocks

    def publish(self, samples: int, blocks: int) -> None:
        """Tell up to which counts all is written; a block counts once its samples do."""
        with self._order:
            self.words[layout.BLOCKS_END_AT] = blocks
            self.words[layout.SAMPLES_END_AT] = samples

    @property
    def samples(self) -> int:
        """How many samples are published."""
        at = layout.SAMPLES_END_AT
        return self.words[at] if self._fence is None else self._load(at)

    @property
    def blocks(self) -> int:
        """How many blocks are published."""
        at = layout.BLOCKS_END_AT
        return self.words[at] if self._fence is None else self._load(at)

    @property
    def tail(self) -> int:
        """The oldest sample that is surely not overwritten."""
        at = layout.SAMPLES_BEGIN_AT
        tail = (self.words[at] if self._fence is None else self._load(at)) - self.capacity
        return tail if tail > 0 else 0

    @property
    def tails(self) -> Counts:
        """The oldest sample, marker byte and block that are surely not overwritten."""
        with self._order:
            samples = self.words[layout.SAMPLES_BEGIN_AT]
            markers = self.words[layout.MARKERS_BEGIN_AT]
            blocks = self.words[layout.BLOCKS_BEGIN_AT]
        plan = self.plan
        return Counts(
            max(samples - plan.capacity, 0),
            max(markers - plan.marker_bytes, 0),
            max(blocks - plan.block_slots, 0),
        )

    @property
    def run(self) -> int:
        """How many runs have begun."""
        return self.words[layout.RUN_AT]

    @run.setter
    def run(self, number: int) -> None:
        self.words[layout.RUN_AT] = number

    @property
    def arrival_s(self) -> float:
        """When the last samples arrived; 0.0 before."""
        return self.times[layout.ARRIVAL_AT]

    @arrival_s.setter
    def arrival_s(self, when_s: float) -> None:
        self.times[layout.ARRIVAL_AT] = when_s

    @property
    def heartbeat_s(self) -> float:
        """When the writer last showed that it works."""
        return self.times[layout.HEARTBEAT_AT]

    @heartbeat_s.setter
    def heartbeat_s(self, when_s: float) -> None:
        self.times[layout.HEARTBEAT_AT] = when_s

    @property
    def closed(self) -> bool:
        """Whether nothing will follow."""
        at = layout.CLOSED_AT
        return bool(self.words[at] if self._fence is None else self._load(at))

    @property
    def reason(self) -> str:
        """Why it was closed."""
        size = self.words[layout.REASON_SIZE_AT]
        raw = bytes(self._bytes[layout.REASON_BYTE : layout.REASON_BYTE + size])
        return raw.decode("utf-8", "replace")

    def close_ring(self, reason: str) -> None:
        """Tell that nothing will follow, and why."""
        raw = reason.encode("utf-8", "replace")[:_REASON_BYTES]
        self._bytes[layout.REASON_BYTE : layout.REASON_BYTE + len(raw)] = raw
        self.words[layout.REASON_SIZE_AT] = len(raw)
        with self._order:
            self.words[layout.CLOSED_AT] = 1

    def close(self) -> None:
        """Give the lock's descriptor back; what the head says stays readable without it."""
        if self._fence is not None:
            self._fence.close()
            self._fence, self._order = None, contextlib.nullcontext()

    def _load(self, at: int) -> int:
        """Return a count, in its order after what was loaded before and before what follows."""
        with self._order:
            return self.words[at]


class Fence:
    """A file's lock that orders the stores before it and the loads after it.

    Only the counts are touched under it, never samples, so that no reader holds up the writer.

    Args:
        path: the file; opened anew, because the lock belongs to the opening.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
