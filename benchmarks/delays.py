"""Delays each way before each of many rigs, in a process of its own.

From: the other benchmarks.  To: the same: the addresses that lead through it.

The product's own proxy (`rigctl.net.chaos`) does far more with each datagram than wait, which for
a hundred rigs at once on two cores would be what is measured; this one is a loop around epoll.

    python -m benchmarks.delays SECONDS PORT ...

It prints its ports as one JSON line and ends when standard input does.
"""

import contextlib
import heapq
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

_HOST = "127.0.0.1"


@contextlib.contextmanager
def delayed(uris: Sequence[str], delay_s: float) -> Iterator[list[str]]:
    """Put a delay each way before each rig; none where there is nothing to delay."""
    if not delay_s:
        yield list(uris)
        return
    ports = [uri.rpartition(":")[2] for uri in uris]
    command = [sys.executable, "-m", "benchmarks.delays", str(delay_s), *ports]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout and process.stdin
        try:
            yield [f"udp://{_HOST}:{port}" for port in json.loads(process.stdout.readline())]
        finally:
            process.stdin.close()


class _Relay:
    """Carries datagrams between one client and one rig."""

    def __init__(self, port: int) -> None:
        self.near, self.far = _socket(), _socket()
        self.near.bind((_HOST, 0))
        self.far.connect((_HOST, port))
        self.client: tuple[str, int] = (_HOST, 0)

    def receive(self, fd: int) -> tuple[bool, bytes]:
        """Return whether something goes to the rig, and what."""
        if fd == self.far.fileno():
            return False, self.far.recv(65536)
        data, self.client = self.near.recvfrom(65536)
        return True, data

    def send(self, to_rig: bool, data: bytes) -> None:
        """Carry it on."""
        if to_rig:
            self.far.send(data)
        else:
            self.near.sendto(data, self.client)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _serve(delay_s: float, ports: Sequence[int]) -> None:
    relays = [_Relay(port) for port in ports]
    poll, by_fd = select.epoll(), {}
    for relay in relays:
        for sock in (relay.near, relay.far):
            poll.register(sock, select.EPOLLIN)
            by_fd[sock.fileno()] = relay
    poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    print(json.dumps([relay.near.getsockname()[1] for relay in relays]), flush=True)
    waiting: list[tuple[float, int, _Relay, bool, bytes]] = []
    number = 0
    while True:
        timeout_s = max(waiting[0][0] - time.monotonic(), 0.0) if waiting else -1.0
        for fd, _ in poll.poll(timeout_s, 256):
            if fd == sys.stdin.fileno():
                return
            number += 1
            relay = by_fd[fd]
            heapq.heappush(waiting, (time.monotonic() + delay_s, number, relay, *relay.receive(fd)))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, relay, to_rig, data = heapq.heappop(waiting)
            relay.send(to_rig, data)


if __name__ == "__main__":
    _serve(float(sys.argv[1]), [int(port) for port in sys.argv[2:]])
