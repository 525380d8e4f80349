"""The source process: one device's samples into a ring in shared memory.

From: a device (`devices`).  To: a ring (`streams`), and reports to the daemon.

A run whose layout differs from the one before cannot go on in the same ring: a new ring is made
and told of, the old one is closed.
"""

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import AsyncGenerator
from typing import cast

from rigctl.blocks import Block, Burst, Item, Lull, Notice, Run, StreamInfo
from rigctl.devices import open_device, settings_for
from rigctl.errors import RigctlError
from rigctl.peers.orders import Noticed, Opened, Ready, Situation, SourceSetup
from rigctl.peers.worker import Channel, decode_order
from rigctl.streams import RingWriter

log = logging.getLogger(__name__)

_MAX_SETUP_BYTES = 4_000_000
_NAME_PART = 40
"""How much of a rig's and a stream's name goes into that of a ring, which is limited."""


class Source:
    """Pumps items of a device into rings.

    Args:
        setup: what to read and how much of it to keep.
        channel: to the daemon.
    """

    def __init__(self, setup: SourceSetup, channel: Channel) -> None:
        self._setup = setup
        self._channel = channel
        self._ring: RingWriter | None = None
        self._rings = 0
        self._flowing = False

    async def run(self) -> None:
        """Read the device until cancelled or until it is exhausted.

        Raises:
            RigctlError: the device or the ring cannot be opened.
        """
        setup = self._setup
        device = open_device(setup.device, settings_for(setup.device, setup.settings), setup.stream)
        items = cast(AsyncGenerator[Item, None], aiter(device))
        try:
            async with contextlib.aclosing(items):
                async for item in items:
                    self._take(item)
            self._tell("the device has no more samples", lost=True)
        finally:
            self._close_ring("the source stopped")

    def _take(self, item: Item) -> None:
        match item:
            case Block():
                assert self._ring
                self._ring.write(item)
                self._tell_flowing()
            case Burst():
                assert self._ring
                self._ring.write_burst(item)
                self._tell_flowing()
            case Run(info):
                self._begin_run(info)
            case Lull(reason, lost):
                self._tell(reason, lost=lost)
            case Notice(kind, text, facts):
                at = self._ring.head if self._ring else 0
                self._channel.report(Noticed(kind, text, facts, at))

    def _tell_flowing(self) -> None:
        if not self._flowing:
            self._flowing = True
            self._channel.report(Situation("samples come", lost=False, flowing=True))

    def _tell(self, reason: str, *, lost: bool) -> None:
        self._flowing = False
        self._channel.report(Situation(reason, lost=lost, flowing=False))

    def _begin_run(self, info: StreamInfo) -> None:
        if self._ring is None or self._ring.info != info:
            self._open_ring(info)
        assert self._ring
        self._ring.begin_run()
        self._flowing = False

    def _open_ring(self, info: StreamInfo) -> None:
        self._close_ring("the stream has another layout now")
        self._rings += 1
        rig, stream = self._setup.rig[:_NAME_PART], self._setup.stream[:_NAME_PART]
        name = f"{rig}-{stream}-{os.getpid()}-{self._rings}"
        frames = math.ceil(self._setup.ring_s * info.rate_hz)
        self._ring = RingWriter.create(name, info, max(frames, 1))
        channels = len(info.channels) or math.prod(info.shape)
        self._channel.report(Opened(name, channels, float(info.rate_hz), info.dtype))

    def _close_ring(self, reason: str) -> None:
        if self._ring is not None:
            self._ring.close(reason)
            self._ring.unlink()
            self._ring = None


async def _serve(channel: Channel) -> None:
    """Pump until the daemon closes the orders' end of the channel, or is gone."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(_MAX_SETUP_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), channel.orders_file)
    first = await orders.readline()
    if not first.endswith(b"\n"):
        return
    setup = decode_order(first)
    assert isinstance(setup, SourceSetup)
    pump = asyncio.create_task(Source(setup, channel).run(), name=f"source {setup.stream}")
    ordered = asyncio.create_task(orders.read(), name="orders")
    channel.report(Ready())
    await asyncio.wait([pump, ordered], return_when=asyncio.FIRST_COMPLETED)
    if pump.done() and not pump.cancelled() and (error := pump.exception()):
        channel.report(Situation(_told(error), lost=True, flowing=False))
        raise error
    # A device that is exhausted leaves its situation standing until the daemon ends the process.
    await ordered
    pump.cancel()
    await asyncio.gather(pump, return_exceptions=True)


def main() -> int:
    """Be a source process."""
    channel = Channel.take_over()
    try:
        asyncio.run(_serve(channel))
    except RigctlError as error:
        log.error("%s", error)
        return 1
    except Exception:  # the process's edge: a driver may raise anything
        log.exception("the source failed")
        return 1
    return 0


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, RigctlError) else f"{type(error).__name__}: {error}"
