"""Rigs for measurements, in a process of their own: ours or the predecessor's, any number of them.

From: the other benchmarks.  To: the same: addresses, and when START reached each rig.

    python -m benchmarks.rigs ours|iblutil udp|tcp COUNT [--key HEX]

It prints the ports as one JSON line; upon each line on standard input it prints when the datagrams
of START reached the rigs' computer (the kernel's word, seconds: what a rig's process does next is
its own affair) and how often each command took effect, and forgets that.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from iblutil.io.net import app

from rigctl.messages import Event, Message
from rigctl.net import EchoProtocol, Options

EVENTS = ("INIT", "START", "END", "CLEANUP")
_SIOCGSTAMPNS = 0x8907
"""Linux: when the datagram that was read last had arrived (socket(7))."""

QUIET = logging.getLogger("benchmarks.iblutil")
QUIET.setLevel(logging.CRITICAL)
QUIET.propagate = False
logging.getLogger("iblutil").setLevel(logging.CRITICAL)


@dataclass
class Rigs:
    """The process, as others see it."""

    process: subprocess.Popen[str]
    uris: list[str]

    def told(self) -> dict[str, Any]:
        """Return what happened since the last time that this was asked.

        ``receipts``: when START reached the rigs; ``effects``: how often each command ran, by rig
        and command.
        """
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


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


class Seen:
    """What reached the rigs of this process, and what they did."""

    def __init__(self) -> None:
        self.receipts: list[float] = []
        self.effects: Counter[str] = Counter()

    def note(self, rig: int, event: str, data: Any, fd: int) -> None:
        """A command takes effect."""
        what = data[0].get("exp_ref") if isinstance(data[0], dict) else data[0]
        self.effects[f"{rig} {event} {what}"] += 1
        if event == "START":
            with contextlib.suppress(OSError):  # a stream has no such stamp
                stamp = fcntl.ioctl(fd, _SIOCGSTAMPNS, bytes(16))
                seconds, nanoseconds = struct.unpack("qq", stamp)
                self.receipts.append(seconds + nanoseconds * 1e-9)

    def take(self) -> dict[str, Any]:
        """Return it and forget it."""
        told = {"receipts": self.receipts, "effects": dict(self.effects)}
        self.receipts, self.effects = [], Counter()
        return told


async def _ours(scheme: str, number: int, key: bytes | None, seen: Seen) -> Any:
    options = Options(key=key)
    rig = await EchoProtocol.server(f"{scheme}://127.0.0.1:0", "rig", options=options)
    fd = _fd(rig._route._transport._transport) if scheme == "udp" else -1  # noqa: SLF001
    for event in EVENTS:

        def answer(data: list[Any], addr: Any, event: str = event) -> None:
            seen.note(number, event, data, fd)
            # In the server role, what is sent while a command is unanswered is its answer.
            rig.submit(Message(Event.parse(event), tuple(data)), addr=addr)

        rig.assign_callback(event, answer)
    return rig


async def _theirs(scheme: str, number: int, key: bytes | None, seen: Seen) -> Any:
    port = _free_port(scheme)
    rig = await app.EchoProtocol.server(f"{scheme}://127.0.0.1:{port}", "rig", log=QUIET)
    fd = _fd(rig._transport) if scheme == "udp" else -1  # noqa: SLF001
    tasks: set[Any] = set()
    for event in EVENTS:

        def answer(data: list[Any], addr: Any, event: str = event) -> None:
            seen.note(number, event, data, fd)
            message = [int(Event.parse(event)), *data]
            task = asyncio.ensure_future(_send(rig, message, addr))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        rig.assign_callback(f"EXP{event}", answer)
    return rig


async def _send(rig: Any, message: list[Any], addr: Any) -> None:
    with contextlib.suppress(TimeoutError, RuntimeError, AttributeError):
        await rig.confirmed_send(message, addr=addr)


def _fd(transport: Any) -> int:
    return int(transport.get_extra_info("socket").fileno())


def _free_port(scheme: str) -> int:

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
    seen = Seen()
    make = _ours if kind == "ours" else _theirs
    found = [await make(scheme, number, key, seen) for number in range(count)]
    print(json.dumps([rig.port for rig in found]), flush=True)
    async for _ in _lines():
        print(json.dumps(seen.take()), flush=True)
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
