"""The worker's side of its channel to the daemon: orders in, reports out.

From: standard input, which ends when the daemon is gone.  To: standard output.

The channel is the worker's own: whatever a driver prints goes to standard error, which the daemon
puts into its log.  SIGINT and SIGTERM are the daemon's affair: a terminal or systemd sends them to
all processes at once, and a worker that obeyed would stop before its files are in order.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from rigctl import log
from rigctl.peers.orders import Order, Report

_DECODER: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
_ENCODER = msgspec.json.Encoder()


class Channel:
    """Orders and reports of one worker process."""

    def __init__(self, orders: BinaryIO, reports: BinaryIO) -> None:
        self.orders_file = orders
        self._reports = reports
        self._lock = threading.Lock()

    @classmethod
    def take_over(cls) -> "Channel":
        """Make this process a worker: its channel, its log, its signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        reports = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        log.configure("DEBUG", style="json")
        return cls(sys.stdin.buffer, reports)

    def report(self, report: Report) -> None:
        """Tell the daemon; nobody listens when it is gone, and the end of the orders says so."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._reports.write(_ENCODER.encode(report) + b"\n")
            self._reports.flush()

    def orders(self) -> Iterator[Order]:
        """Yield orders until the daemon closes the channel or is gone."""
        for line in self.orders_file:
            yield decode_order(line)


def decode_order(line: bytes) -> Order:
    """Read one order."""
    return _DECODER.decode(line)
