"""The worker's side of its channel to the daemon: orders in, reports out.

From: standard input, which ends when the daemon is gone.  To: standard output.

The channel is the worker's own: whatever a driver prints goes to standard error, which the daemon
puts into its log, and a driver that reads its standard input finds it empty.  SIGINT and SIGTERM
are the daemon's affair: a terminal or systemd sends them to all processes at once, and a worker
that obeyed would stop before its files are in order.
"""

import contextlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from rigctl import log as logs
from rigctl.peers.orders import Order, Report

log = logging.getLogger(__name__)

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
        orders, reports = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Line by line, else what a driver prints would come when it is of no use any more.
            sys.stdout.reconfigure(line_buffering=True, errors="replace")
        logs.configure("DEBUG", style="json")
        return cls(orders, reports)

    def report(self, report: Report) -> None:
        """Tell the daemon; nobody listens when it is gone, and the end of the orders says so."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._reports.write(_ENCODER.encode(report) + b"\n")
            self._reports.flush()

    def orders(self) -> Iterator[Order]:
        """Yield orders until the daemon closes the channel or is gone."""
        for line in self.orders_file:
            try:
                yield decode_order(line)
            except msgspec.DecodeError as error:
                # A daemon that is killed may leave half a line behind.
                log.error("an order that cannot be read: %s: %r", error, line[:200])


def decode_order(line: bytes) -> Order:
    """Read one order.

    Raises:
        msgspec.DecodeError: it is none, or not whole.
    """
    return _DECODER.decode(line)
