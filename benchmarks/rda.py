"""RDA from the socket into the ring, beside a bare loop that receives the same bytes and no more.

A process of its own sends 4 MiB of ready messages at a time, numbered as an amplifier's program
numbers them, so that what is measured is the receiver.
"""

import asyncio
import contextlib
import multiprocessing
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import aclosing
from fractions import Fraction
from multiprocessing.connection import Connection

import numpy as np

from benchmarks.table import Row, median, ratio
from rigctl.blocks import Block, Burst, Channel, Lull, Run, StreamInfo
from rigctl.rda.client import ClientSettings, RdaClient
from rigctl.rda.encode import encode
from rigctl.rda.layout import start_of
from rigctl.rda.messages import Data, Stop
from rigctl.streams import RingWriter

CHANNELS = 64
RATE_HZ = 50_000
RING_FRAMES = 300_000
ROUNDS = 9
TOTAL_BYTES = 1_000_000_000
QUICK_BYTES = 100_000_000
_BLOB_BYTES = 4 * 2**20
_RECEIVE_BYTES = 2**20
_NUMBER_AT = 24


def layout() -> StreamInfo:
    """Return the layout of what is sent."""
    channels = tuple(Channel(f"c{number}", resolution=0.1) for number in range(CHANNELS))
    return StreamInfo("float32", (CHANNELS,), Fraction(RATE_HZ), channels)


def _send(sock: socket.socket, points: int, total_bytes: int) -> None:
    """Send START, so many bytes of blocks and STOP."""
    samples = np.arange(points * CHANNELS, dtype=np.float32).reshape(points, CHANNELS)
    one = encode(Data(0, samples))
    count = _BLOB_BYTES // len(one)
    blob = bytearray(one * count)
    numbers = np.ndarray((count,), "<u4", blob, _NUMBER_AT, (len(one),))
    numbers += np.arange(count, dtype="<u4")
    sock.sendall(encode(start_of(layout())))
    for _ in range(total_bytes // len(blob)):
        sock.sendall(blob)
        numbers += np.uint32(count)
    sock.sendall(encode(Stop()))


def _serve(port: Connection, points: int, total_bytes: int) -> None:
    """Send to one client after the other, until killed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port.send(listening.getsockname()[1])
        while True:
            sock, _ = listening.accept()
            with sock, contextlib.suppress(ConnectionError):
                _send(sock, points, total_bytes)


@contextlib.contextmanager
def _sender(points: int, total_bytes: int) -> Iterator[int]:
    """Run the sender; yields its port."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, points, total_bytes))
    process.start()
    try:
        yield here.recv()
    finally:
        process.kill()
        process.join()


def _bare(port: int) -> float:
    """Return the MB/s of a loop that receives and looks at nothing."""
    buffer, received = bytearray(_RECEIVE_BYTES), 0
    with socket.create_connection(("127.0.0.1", port)) as sock:
        began = time.perf_counter()
        while size := sock.recv_into(buffer):
            received += size
        return received / (time.perf_counter() - began) / 1e6


async def _receive(port: int, ring: RingWriter) -> int:
    """Take all that comes until STOP into a ring; returns how many blocks were lost."""
    expected, lost = 0, 0
    async with aclosing(aiter(RdaClient(ClientSettings("127.0.0.1", port)))) as items:
        async for item in items:
            match item:
                case Burst():
                    ring.write_burst(item)
                    lost += item.counter - expected
                    expected = item.counter + len(item.samples)
                case Block():
                    ring.write(item)
                    lost += item.counter - expected
                    expected = item.counter + 1
                case Run():
                    ring.begin_run()
                case Lull(reason) if "STOP" in reason:
                    break
    return lost


def _into_ring(port: int, points: int) -> float:
    """Return the MB/s of RDA into a ring in shared memory, complete."""
    with RingWriter.create("bench-rda", layout(), RING_FRAMES) as ring:
        began = time.perf_counter()
        lost = asyncio.run(_receive(port, ring))
        elapsed_s = time.perf_counter() - began
        if lost:
            raise RuntimeError(f"{lost} blocks were lost")
        message_bytes = struct.calcsize("<16s5I") + points * layout().frame_bytes
        return ring.head // points * message_bytes / elapsed_s / 1e6


def _row(points: int, target: str, quick: bool) -> Row:
    rounds, total_bytes = (5, QUICK_BYTES) if quick else (ROUNDS, TOTAL_BYTES)
    ours, bare = [], []
    with _sender(points, total_bytes) as port:
        for number in range(rounds + 1):
            results = _into_ring(port, points), _bare(port)
            if number:  # the first touches the memory
                ours.append(results[0])
                bare.append(results[1])
    block_bytes = points * layout().frame_bytes
    blocks_per_s = median(ours) * 1e6 / (block_bytes + struct.calcsize("<16s5I"))
    return Row(
        f"RDA into the ring, {CHANNELS} channels float32, blocks of {points} samples",
        f"{median(ours):.0f} MB/s, {blocks_per_s / 1e3:.0f}k blocks/s",
        f"{median(bare):.0f} MB/s (recv_into alone)",
        ratio(ours, bare),
        target,
    )


def run(quick: bool = False) -> list[Row]:
    """Return a row for blocks of 100 and one for blocks of 10 samples."""
    return [_row(100, ">= 0.30", quick), _row(10, ">= 0.25", quick)]
