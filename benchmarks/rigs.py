"""Rigs for measurements, in a process of their own: ours or the predecessor's, any number of them.

From: the other benchmarks.  To: the same: addresses, and when START reached each rig.

    python -m benchmarks.rigs ours|iblutil udp|tcp COUNT [--key HEX]

It prints the ports as one JSON line; upon each line on standard input it prints when each rig
received START last (CLOCK_MONOTONIC, seconds) and how many received it, and forgets that.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from iblutil.io.net import app

from rigctl.net import EchoProtocol, Options
from rigctl.net.verbs import start_message

QUIET = logging.getLogger("benchmarks.iblutil")
QUIET.setLevel(logging.CRITICAL)
QUIET.propagate = False
logging.getLogger("iblutil").setLevel(logging.CRITICAL)


@dataclass
class Rigs:
    """The process, as others see it."""

    process: subprocess.Popen[str]
    uris: list[str]

    def receipts(self) -> list[float]:
        """Return when START reached the rigs since the last time that this was asked."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return sorted(json.loads(self.process.stdout.readline()))


@contextlib.contextmanager
def rigs(kind: str, scheme: str, count: int, key: bytes | None = None) -> Iterator[Rigs]:
    """Start rigs; they end with the block."""
    command = [sys.executable, "-m", "benchmarks.rigs", kind, scheme, str(count)]
    command += ["--key", key.hex()] if key else []
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout and process.stdin
        ports = json.loads(process.stdout.readline())
        try:
            yield Rigs(process, [f"{scheme}://127.0.0.1:{port}" for port in ports])
        finally:
            process.stdin.close()


async def _ours(scheme: str, key: bytes | None, receipts: list[float]) -> Any:
    options = Options(key=key)
    rig = await EchoProtocol.server(f"{scheme}://127.0.0.1:0", "rig", options=options)

    def on_start(data: list[Any], addr: Any) -> None:
        receipts.append(time.monotonic())
        # In the server role, what is sent while a START is unanswered is its answer.
        rig.submit(start_message(data[0], None), addr=addr)

    rig.assign_callback("START", on_start)
    return rig


async def _theirs(scheme: str, key: bytes | None, receipts: list[float]) -> Any:
    port = _free_port(scheme)
    rig = await app.EchoProtocol.server(f"{scheme}://127.0.0.1:{port}", "rig", log=QUIET)
    tasks = set()

    def on_start(data: list[Any], addr: Any) -> None:
        receipts.append(time.monotonic())
        task = asyncio.ensure_future(rig.start(data[0], addr=addr))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    rig.assign_callback("EXPSTART", on_start)
    return rig


def _free_port(scheme: str) -> int:
    import socket

    with socket.socket(type=socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def _lines() -> AsyncIterator[bytes]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line


async def _serve(kind: str, scheme: str, count: int, key: bytes | None) -> None:
    receipts: list[float] = []
    make = _ours if kind == "ours" else _theirs
    found = [await make(scheme, key, receipts) for _ in range(count)]
    print(json.dumps([rig.port for rig in found]), flush=True)
    async for _ in _lines():
        print(json.dumps(receipts), flush=True)
        receipts.clear()
    for rig in found:
        rig.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["ours", "iblutil"])
    parser.add_argument("scheme", choices=["udp", "tcp"])
    parser.add_argument("count", type=int)
    parser.add_argument("--key", type=bytes.fromhex)
    args = parser.parse_args()
    asyncio.run(_serve(args.kind, args.scheme, args.count, args.key))
