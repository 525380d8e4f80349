"""How fast a recording is verified, beside a bare loop that reads the same file.

From: `scripts/bench`.  To: a table; the target is 400 MB/s, or the rate of the disk.
"""

import os
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.table import Row, median, ratio
from rigctl.blocks import Channel, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.recording import index
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify_stream import check_stream

INFO = StreamInfo(
    "int16", (384,), Fraction(30_000), tuple(Channel(f"AP{number}") for number in range(384))
)
_BLOCKS = {"2.3 MB": 3000, "25 kB": 33}
"""Samples in an append: what arrives in 100 ms and in 1.1 ms."""
_SIZE_BYTES, _QUICK_BYTES = 1_000_000_000, 100_000_000
_RECORDS, _QUICK_RECORDS = 1_000_000, 100_000
_ROUNDS = 5
_PIECE_BYTES = 1 << 20
_MEGABYTE = 1e6


def run(quick: bool) -> list[Row]:
    """Measure both sizes of appends, from memory and from the disk, and the index alone."""
    size = _QUICK_BYTES if quick else _SIZE_BYTES
    rows = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for name, points in _BLOCKS.items():
            stream = _record(Path(folder) / name.replace(" ", ""), points, size)
            for where, forget in (("in memory", _keep), ("on disk", _forget)):
                rows.append(_row(f"verify, blocks of {name}, {where}", stream, forget))
    rows.append(_index_row(_QUICK_RECORDS if quick else _RECORDS))
    return rows


def _record(folder: Path, points: int, size: int) -> Path:
    """Record so many bytes in three parts."""
    samples = np.random.default_rng(0).integers(-1000, 1000, (points, 384)).astype("<i2")
    roll = Roll(size // 5 * 2, 1e9)
    with StreamWriter.create(folder, INFO, name="probe", roll=roll) as writer:
        for number in range(size // samples.nbytes):
            writer.append(samples, counter=number, arrival_s=number)
    return folder


def _row(what: str, stream: Path, forget: Callable[[list[Path]], None]) -> Row:
    files = sorted(stream.glob("*.eeg"))
    size = sum(path.stat().st_size for path in files) / _MEGABYTE
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        forget(files)
        ours.append(size / _seconds(lambda: _check(stream)))
        forget(files)
        theirs.append(size / _seconds(lambda: _read(files)))
    return Row(
        what,
        f"{median(ours):.0f} MB/s",
        f"bare reads {median(theirs):.0f} MB/s",
        ratio(ours, theirs),
        ">= 400 MB/s or the disk's rate",
    )


def _index_row(records: int) -> Row:
    """Measure what of it does not depend on the size of the samples."""
    entries, crc = [], 0
    for number in range(records):
        entry, crc = index.encode(index.Record(number * 8, number, 1, 7), crc)
        entries.append(entry)
    data = b"".join(entries)
    seconds = [_seconds(lambda: index.walk(data, 8)) for _ in range(_ROUNDS)]
    told, limit = median(seconds), 2.0 * records / _RECORDS
    return Row(f"index of {records} appends", f"{told:.2f} s", f"limit {limit:g} s",
               f"{told / limit:.2f}", "<= 1")  # fmt: skip


def _check(stream: Path) -> None:
    findings = check_stream(stream, lambda _: None)
    if findings.problems:
        raise AssertionError(findings.problems)


def _read(files: list[Path]) -> None:
    buffer = memoryview(bytearray(_PIECE_BYTES))
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def _keep(files: list[Path]) -> None:
    """Leave the files in memory."""


def _forget(files: list[Path]) -> None:
    """Have the system forget what it holds of the files."""
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
