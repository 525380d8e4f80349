"""A source that writes into a ring what tells its own number, and loses blocks when it is told."""

import uuid
from fractions import Fraction

import numpy as np

from rigctl.blocks import Block, BlockFlags, Channel, Marker, StreamInfo
from rigctl.streams import RingWriter

LOST = -1
"""Stands where a sample is filled in, in `numbers`."""


def info(rate_hz: int = 1000, channels: int = 2) -> StreamInfo:
    names = tuple(Channel(f"c{number}") for number in range(channels))
    return StreamInfo("int64", (channels,), Fraction(rate_hz), names)


def frames(info: StreamInfo, start: int, stop: int) -> np.ndarray:
    """Samples that tell their number, counted from 1: nothing but a filled one is 0."""
    numbers = np.arange(start + 1, stop + 1)
    return np.repeat(numbers, info.shape[0]).reshape(-1, *info.shape)


def numbers(samples: np.ndarray) -> list[int]:
    """The number of each sample, as `frames` wrote it; `LOST` where it is filled in."""
    flat = samples.reshape(len(samples), -1)
    assert (flat == flat[:, :1]).all()
    return [int(value) - 1 for value in flat[:, 0]]


class Feed:
    """Writes numbered samples into a ring of its own.

    Args:
        layout: of the samples.
        ring_frames: how many the ring holds at least.
    """

    def __init__(self, layout: StreamInfo, ring_frames: int = 1024) -> None:
        self.layout = layout
        self.name = f"test-{uuid.uuid4().hex}"
        self.ring = RingWriter.create(self.name, layout, ring_frames)
        self.ring.begin_run()
        self.sent = 0
        """How many samples, those included that are lost."""
        self.counter = 0
        self.arrival_s = 100.0

    def send(
        self, points: int, *marked: int, flags: BlockFlags = BlockFlags.NONE, blocks: int = 1
    ) -> None:
        """Write blocks; markers in each at these places tell the number of their sample."""
        for _ in range(blocks):
            markers = tuple(Marker(at, "Stimulus", str(self.sent + at)) for at in marked)
            self.arrival_s += points / float(self.layout.rate_hz)
            samples = frames(self.layout, self.sent, self.sent + points)
            self.ring.write(Block(samples, self.counter, self.arrival_s, markers, flags))
            self.sent += points
            self.counter += 1

    def lose(self, blocks: int, points: int, *, lasting: bool = False) -> None:
        """Count blocks that never come into the ring; those that last take their time."""
        self.sent += blocks * points
        self.counter += blocks
        if lasting:
            self.arrival_s += blocks * points / float(self.layout.rate_hz)

    def close(self, reason: str = "the test is done") -> None:
        self.ring.close(reason)
        self.ring.unlink()
