r"""Minutes of 384 channels at 30 kHz through the real recorder, beside a reader that looks live.

From: `benchmarks.recording`.  To: the same: what was lost, how long appends took, what it cost.

    feeder --ring--> recorder --disk--> reader (the index covers what it reads)
              \--------------------------^  (every block)

Each chunk carries its number in its first sample, which the reader looks for at both places.

Beside it another process writes as much to a file, as often and as durably, with nothing but the
system: what its writes take and cost is what this computer, with its other work, lets anybody have.

    python -m benchmarks.steady feed RING CHUNKS | read RING FOLDER | write FILE CHUNKS | record S
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.syncer import Syncer
from benchmarks.workers import worker
from rigctl.blocks import Block, Channel, StreamInfo
from rigctl.errors import Overrun, RecordingError, RingClosed
from rigctl.messages import ExpRef
from rigctl.peers.orders import Attach, Begin, Ended, Finish, Ready, RecorderSetup
from rigctl.recording.manifest import seal
from rigctl.recording.reader import open_stream
from rigctl.recording.session import ClockPair, Session, SessionHeader, SessionStream
from rigctl.recording.verify import verify
from rigctl.streams import RingReader, RingWriter

REF = ExpRef.parse("2024-01-01_1_subject")
CHANNELS, RATE_HZ, CHUNK_S = 384, 30_000, 0.1
POINTS = int(RATE_HZ * CHUNK_S)
INFO = StreamInfo(
    "int16", (CHANNELS,), Fraction(RATE_HZ), tuple(Channel(f"AP{n}") for n in range(CHANNELS))
)
_RING_S = 10
_LOOK_S = 1.0
_AROUND = 1200


@dataclass
class Steady:
    """What came of it."""

    fed: int
    """Samples."""
    recorded: int
    missing: int
    overruns: int
    intact: bool
    append_p99_s: float
    cpu: float
    """Of one core."""
    bare_p99_s: float
    """Of the system's own writing."""
    bare_cpu: float
    reader: dict[str, Any]
    """``ring`` and ``file``: chunks seen; ``wrong``: those that were not what they should be."""
    verify_bytes_per_s: float

    @property
    def lost(self) -> int:
        """Samples that are not on disk, or not as they were."""
        return self.fed - self.recorded + self.missing


def make_session(root: Path) -> Session:
    """Make a session with a stream ``amp``."""
    header = SessionHeader(
        state="RUNNING",
        host="bench",
        clock=ClockPair.now(),
        streams={"amp": SessionStream()},
    )
    return Session.create(root, REF, "bench", header)


def record(root: Path, seconds: float) -> Steady:
    """Record for so long."""
    session, ring = make_session(root), f"bench-{time.monotonic_ns()}"
    chunks = round(seconds / CHUNK_S)
    folder, times = session.path / "amp", root / "times.json"
    with (
        _helper("feed", ring, chunks) as feeder,
        worker(
            ["benchmarks.workers", "recorder", str(times)], RecorderSetup("bench", 1.0)
        ) as recorder,
    ):
        feeder.stdout.readline()  # the ring is there
        with (
            _helper("read", ring, folder) as reader,
            _helper("write", root / "bare", chunks) as bare,
        ):
            reader.stdout.readline()
            recorder.wait_for(Ready)
            recorder.tell(Begin(str(session.path), str(REF), {"amp": None}))
            recorder.tell(Attach("amp", ring))
            for helper in (feeder, bare):
                helper.stdin.write("go\n")
                helper.stdin.flush()
            feeder.stdout.readline()  # all is written
            recorder.tell(Finish())
            ended: Ended = recorder.wait_for(Ended)
            feeder.stdin.close()
            told, beside = json.loads(reader.stdout.read()), json.loads(bare.stdout.read())
    counts, took = ended.streams["amp"], json.loads(times.read_text())
    seal(session, ended.digests)
    begin_s = time.perf_counter()
    report = verify(session.path)
    verify_s = time.perf_counter() - begin_s
    return Steady(
        fed=chunks * POINTS,
        recorded=counts.samples,
        missing=counts.missing_samples,
        overruns=counts.overruns,
        intact=report.ok and not counts.failure,
        append_p99_s=float(np.percentile(took["append_s"], 99)),
        cpu=took["cpu_s"] / took["wall_s"],
        bare_p99_s=beside["p99_s"],
        bare_cpu=beside["cpu"],
        reader=told,
        verify_bytes_per_s=counts.bytes / verify_s,
    )


def _helper(*args: object) -> Any:
    command = [sys.executable, "-m", "benchmarks.steady", *map(str, args)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def _chunk(number: int, pool: list[np.ndarray]) -> np.ndarray:
    samples = pool[number % len(pool)]
    samples[0, :2] = np.array([number], "<i4").view("<i2")
    return samples


def _number(samples: np.ndarray) -> int:
    return int(np.ascontiguousarray(samples[0, :2]).view("<i4")[0])


def _feed(ring: str, chunks: int) -> None:
    """Write chunks at their times, once told to."""
    noise = np.random.default_rng(1)
    pool = [noise.integers(-500, 500, (POINTS, CHANNELS)).astype("<i2") for _ in range(4)]
    with RingWriter.create(ring, INFO, RATE_HZ * _RING_S) as writer:
        print("ready", flush=True)
        sys.stdin.readline()
        begin_s = time.monotonic()
        for number in range(chunks):
            due_s = begin_s + (number + 1) * CHUNK_S
            time.sleep(max(due_s - time.monotonic(), 0))
            writer.write(Block(_chunk(number, pool), number, time.monotonic()))
        print("done", flush=True)
        sys.stdin.readline()  # nobody reads from it any more


def _write(file: Path, chunks: int) -> None:
    """Write chunks at their times, syncing each second in a thread of its own."""
    noise, times_s = np.random.default_rng(1), []
    pool = [noise.integers(-500, 500, (POINTS, CHANNELS)).astype("<i2") for _ in range(4)]
    fd = os.open(file, os.O_WRONLY | os.O_CREAT)
    syncer = Syncer(lambda: os.fdatasync(fd))
    sys.stdin.readline()
    begin_s, begin_cpu_s = time.monotonic(), time.process_time()
    for number in range(chunks):
        time.sleep(max(begin_s + (number + 1) * CHUNK_S - time.monotonic(), 0))
        offset = number % _AROUND * pool[0].nbytes  # round and round: it is not to be kept
        before_s = time.perf_counter()
        os.pwrite(fd, pool[number % 4].data, offset)
        times_s.append(time.perf_counter() - before_s)
        if number % 10 == 9:
            syncer.due()
    cpu = (time.process_time() - begin_cpu_s) / (time.monotonic() - begin_s)
    syncer.end()
    print(json.dumps({"p99_s": float(np.percentile(times_s, 99)), "cpu": cpu}))


def _read(ring: str, folder: Path) -> None:
    """Look at every chunk in the ring, and each second at the newest one that is on disk."""
    seen = {"ring": 0, "file": 0, "wrong": 0, "overruns": 0, "behind": 0}
    due_s = -math.inf
    with RingReader.attach(ring) as reader:
        cursor = reader.cursor(0)
        print("ready", flush=True)
        while True:
            try:
                cursor.wait(1.0)
                batch = cursor.read(POINTS)
            except Overrun as error:
                seen["overruns"] += 1
                cursor.skip_to(error.tail)
                continue
            except RingClosed:
                break
            if batch is not None:
                seen["ring"] += 1
                seen["wrong"] += _number(batch.samples) != batch.start // POINTS
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + _LOOK_S
                _look(folder, reader.head, seen)
    print(json.dumps(seen))


def _look(folder: Path, head: int, seen: dict[str, int]) -> None:
    """Look at the newest chunk that the index covers."""
    try:
        stream = open_stream(folder)
    except RecordingError:
        return  # it has not begun
    if whole := len(stream.samples) // POINTS:
        newest = stream.samples[(whole - 1) * POINTS : whole * POINTS]
        seen["file"] += 1
        seen["wrong"] += _number(newest) != whole - 1
        seen["behind"] = max(seen["behind"], head - whole * POINTS)


if __name__ == "__main__":
    if sys.argv[1] == "feed":
        _feed(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "write":
        _write(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "read":
        _read(sys.argv[2], Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as place:
            print(record(Path(place), float(sys.argv[2])))
