"""What recording costs, and what it keeps: flat out, for minutes, end to end, and read again.

From: `scripts/bench`.  To: rows, each beside a peer or a limit of the same run.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import arrivals, steady
from benchmarks.flat_out import WRITERS, Load, load, ours
from benchmarks.table import Row, median, ratio
from rigctl.recording.copy_file import forget
from rigctl.recording.manifest import seal
from rigctl.recording.verify import verify

ROUNDS = 5
STEADY_S = 600.0
FLUSH_S = 1.0
_TARGETS = {"os.write": ">= 0.60", "h5py SWMR": "> 1", "zarr v3 crc32c": "> 1"}
_CHUNK = 1 << 20


def run(quick: bool = False) -> list[Row]:
    """Return all rows; the long run takes ten minutes, and 14 GB of the temporary folder."""
    return [
        *_flat_out(load("384 ch int16, 30 kHz", "int16", 384, 30_000, 5 if quick else 10)),
        *_flat_out(load("64 ch float32, 5 kHz", "float32", 64, 5_000, 20 if quick else 100)),
        *_steady(10.0 if quick else STEADY_S),
        _end_to_end(5.0 if quick else 60.0),
        _verify(load("", "int16", 384, 30_000, 10 if quick else 30)),
    ]


@contextmanager
def _place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rigctl-bench-") as name:
        yield Path(name)


def _flat_out(what: Load) -> Iterator[Row]:
    pieces = what.pieces()
    took: dict[str, list[float]] = {name: [] for name in WRITERS}
    for turn in range(ROUNDS + 1):
        for name, writer in WRITERS.items():
            with _place() as folder:
                seconds = writer(folder, what, pieces)
            if turn:  # the first one warms up
                took[name].append(seconds)
    rates = {name: [what.bytes / s / 1e6 for s in all_s] for name, all_s in took.items()}
    for name, target in _TARGETS.items():
        yield Row(
            f"flat out, checksums on, until durable, {what.name}",
            f"{median(rates['rigctl']):.0f} MB/s",
            f"{median(rates[name]):.0f} MB/s ({name})",
            ratio(rates["rigctl"], rates[name]),
            target,
        )


def _steady(seconds: float) -> list[Row]:
    with _place() as root:
        found = steady.record(root, seconds)
    what = f"384 ch int16, 30 kHz, {seconds:g} s beside a live reader"
    reader = found.reader
    rate = steady.INFO.frame_bytes * steady.RATE_HZ / 1e6
    return [
        Row(
            f"{what}: samples lost",
            f"{found.lost}, {'intact' if found.intact else 'NOT INTACT'}",
            f"{found.fed} fed; reader: {reader['ring']} + {reader['file']} chunks, "
            f"{reader['wrong']} wrong, {reader['overruns']} overruns",
            f"{found.lost / found.fed:.0f}",
            "0",
        ),
        Row(
            f"{what}: append, 99th percentile",
            f"{found.append_p99_s * 1e3:.2f} ms",
            f"{found.bare_p99_s * 1e3:.2f} ms (os.write beside it)",
            f"{found.append_p99_s / found.bare_p99_s:.2f}",
            "< 10 ms",
        ),
        Row(
            f"{what}: processor",
            f"{found.cpu * 100:.1f} % of a core",
            f"{found.bare_cpu * 100:.1f} % (os.write beside it, {rate:.0f} MB/s)",
            f"{found.cpu / found.bare_cpu:.1f}",
            "< 5 %",
        ),
    ]


def _end_to_end(seconds: float) -> Row:
    with _place() as root:
        delays_s = arrivals.delays_s(root, seconds, FLUSH_S)
    late_s = float(np.percentile(delays_s, 99))
    return Row(
        "RDA arrival to durable on disk and told, 99th percentile",
        f"{late_s * 1e3:.0f} ms of {len(delays_s)} blocks",
        f"{FLUSH_S * 1e3:.0f} ms (the flush interval)",
        f"{late_s / FLUSH_S:.3f}",
        "<= 1.050",
    )


def _verify(what: Load) -> Row:
    """Compare with reading the same bytes, neither from memory."""
    with _place() as root:
        session = steady.make_session(root)
        ours(session.path, what, what.pieces())
        seal(session)
        data = session.path / "amp" / "data.eeg"
        reads: list[float] = []
        verifies: list[float] = []
        for _ in range(ROUNDS):
            reads.append(what.bytes / _timed(data, lambda: _read(data)) / 1e6)
            verifies.append(what.bytes / _timed(data, lambda: verify(session.path)) / 1e6)
    return Row(
        "verify, from disk",
        f"{median(verifies):.0f} MB/s",
        f"{median(reads):.0f} MB/s (a bare read)",
        ratio(verifies, reads),
        ">= 400 MB/s, or 1",
    )


def _timed(data: Path, work: Callable[[], object]) -> float:
    forget(data)
    begin_s = time.perf_counter()
    work()
    return time.perf_counter() - begin_s


def _read(data: Path) -> None:
    buffer = bytearray(_CHUNK)
    with data.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
