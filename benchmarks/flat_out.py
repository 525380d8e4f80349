"""The same samples to disk as fast as it goes, by four programs in turns.

From: `benchmarks.recording`.  To: the same: seconds until all of it is durable.

Each appends 100 ms at a time and makes it durable once for each second of data, in a thread of its
own where the library can be used from two (h5py cannot), and all of it at the end.

    ours    StreamWriter: samples, index with CRC-32; beside it the BLAKE2b for the seal
    bare    os.write and fdatasync of the same bytes
    h5py    a chunked data set in SWMR mode, no filter, so no checksum
    zarr    version 3, a chunk for each append, crc32c
"""

import os
import queue
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import zarr

from benchmarks.syncer import Syncer
from rigctl.blocks import Channel, StreamInfo
from rigctl.recording.durable import sync_folder
from rigctl.recording.stream_writer import StreamWriter

Pieces = list[np.ndarray]
_POOL = 8


@dataclass(frozen=True)
class Load:
    """What is written."""

    name: str
    info: StreamInfo
    seconds: int

    @property
    def appends(self) -> int:
        """How many of them."""
        return self.seconds * 10

    @property
    def points(self) -> int:
        """Samples in each."""
        return int(self.info.rate_hz / 10)

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.appends * self.points * self.info.frame_bytes

    def pieces(self) -> Pieces:
        """Return some appends, to be written again and again."""
        noise = np.random.default_rng(1)
        shape = (self.points, *self.info.shape)
        return [
            noise.integers(-500, 500, shape).astype(self.info.numpy_dtype) for _ in range(_POOL)
        ]


def load(name: str, dtype: str, channels: int, rate_hz: int, seconds: int) -> Load:
    """Return so many seconds of a signal."""
    names = tuple(Channel(f"Ch{number}") for number in range(channels))
    return Load(name, StreamInfo(dtype, (channels,), Fraction(rate_hz), names), seconds)


def ours(folder: Path, load: Load, pieces: Pieces) -> float:
    """Return how long `StreamWriter` takes."""
    begin_s = time.perf_counter()
    with StreamWriter.create(folder / "amp", load.info, name="amp") as writer:
        syncer = Syncer(writer.sync)
        for number in range(load.appends):
            writer.append(pieces[number % _POOL], counter=number, arrival_s=number)
            if number % 10 == 9:
                syncer.due()
        # Not by `sync`, which goes on to hash what nobody waits for.
        _sync_files(folder / "amp" / name for name in ("data.eeg", "data.idx"))
        durable_s = time.perf_counter() - begin_s
        syncer.end()
    assert writer.digests["amp/data.eeg"].size == load.bytes
    return durable_s


def bare(folder: Path, load: Load, pieces: Pieces) -> float:
    """Return how long the system itself takes."""
    begin_s = time.perf_counter()
    fd = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    syncer = Syncer(lambda: os.fdatasync(fd))
    for number in range(load.appends):
        os.write(fd, pieces[number % _POOL].data)
        if number % 10 == 9:
            syncer.due()
    os.fdatasync(fd)
    took = time.perf_counter() - begin_s
    syncer.end()
    os.close(fd)
    return took


def h5py_swmr(folder: Path, load: Load, pieces: Pieces) -> float:
    """Return how long h5py takes."""
    begin_s = time.perf_counter()
    shape = (load.points, *load.info.shape)
    with h5py.File(folder / "data.h5", "w", libver="latest") as file:
        data = file.create_dataset(
            *("amp", (0, *shape[1:]), load.info.numpy_dtype),
            maxshape=(None, *shape[1:]),
            chunks=shape,
        )
        file.swmr_mode = True
        for number in range(load.appends):
            data.resize((number + 1) * load.points, axis=0)
            data[-load.points :] = pieces[number % _POOL]
            if number % 10 == 9:
                data.flush()
                os.fdatasync(file.id.get_vfd_handle())
    sync_folder(folder)
    return time.perf_counter() - begin_s


def zarr_crc(folder: Path, load: Load, pieces: Pieces) -> float:
    """Return how long zarr takes."""
    begin_s = time.perf_counter()
    shape = (load.points, *load.info.shape)
    store = folder / "data.zarr"
    array = zarr.create_array(
        store,
        shape=(0, *shape[1:]),
        chunks=shape,
        dtype=load.info.numpy_dtype,
        compressors=[zarr.codecs.Crc32cCodec()],
        filters=None,
    )
    written: queue.SimpleQueue[int] = queue.SimpleQueue()
    syncer = Syncer(lambda: _sync_chunks(store, written))
    for number in range(load.appends):
        array.append(pieces[number % _POOL], axis=0)
        written.put(number)
        if number % 10 == 9:
            syncer.due()
    syncer.end()
    return time.perf_counter() - begin_s


def _sync_chunks(store: Path, written: "queue.SimpleQueue[int]") -> None:
    """Sync every chunk's file, and the one that says how many there are."""
    names = []
    while not written.empty():
        names.append(f"c/{written.get()}/0")
    _sync_files(store / name for name in (*names, "zarr.json"))


def _sync_files(paths: Iterable[Path]) -> None:
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fdatasync(fd)
        os.close(fd)


WRITERS = {
    "rigctl": ours,
    "os.write": bare,
    "h5py SWMR": h5py_swmr,
    "zarr v3 crc32c": zarr_crc,
}
