"""What samples look like on their way from a device to the disk (pure).

From: devices.  To: rings, recordings, everything that reads samples.

A device is iterated with ``async for``; it yields items in the order in which they happened:

    Run     the samples that follow share one layout and count from where the last run ended
    Block   samples that arrived together, with the markers that lie in them
    Burst   many equal blocks in a row without markers: what a fast device sends, taken at once
    Lull    no samples for now, and why; the same run may go on, or a new one may begin
"""

from ast import literal_eval
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import IntFlag
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]
"""Frames, shape (points, *frame shape); the dtype is the stream's."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a signal: physical value = sample x resolution, in `unit`."""

    name: str
    unit: str = "µV"
    resolution: float = 1.0


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """The layout of a stream's samples, constant through a run."""

    dtype: str
    """A numpy dtype's name, stored little-endian: ``int16``, ``float32``, ``uint8``, ...; of
    records with fields its ``str``: ``[('code', '<i4'), ('text', 'S8')]``."""
    shape: tuple[int, ...]
    """The shape of one frame: ``(channels,)`` for signals, ``(height, width)`` for images."""
    rate_hz: Fraction
    """Nominal frames per second, exact."""
    channels: tuple[Channel, ...] = ()
    """One per channel for signals (``len == shape[0]``), empty for other shapes."""

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype in memory and on disk, little-endian."""
        fields = self.dtype.startswith(("[", "{"))
        return np.dtype(literal_eval(self.dtype) if fields else self.dtype).newbyteorder("<")

    @property
    def frame_bytes(self) -> int:
        """The size of one frame."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.numpy_dtype.itemsize

    @property
    def is_signal(self) -> bool:
        """Whether BrainVision files can hold it: int16 or float32, one value per channel."""
        count = len(self.channels)
        is_flat = self.shape[:1] == (count,) and int(np.prod(self.shape, dtype=np.int64)) == count
        return is_flat and self.dtype in ("int16", "float32")


@dataclass(frozen=True, slots=True)
class Marker:
    """An event that the source placed on a sample."""

    position: int
    """In samples: from the start of its block, or absolute where that is said."""
    type: str
    """Such as ``Stimulus``, ``Response``, ``New Segment``, ``Comment``."""
    description: str = ""
    """Such as ``S  1``; kept as it came, spaces included."""
    points: int = 1
    """Its length in samples; 0 occurs."""
    channel: int = -1
    """The index of the channel that it belongs to, -1 for all."""


class BlockFlags(IntFlag):
    """What is remarkable about a block, or about an append to a recording."""

    NONE = 0
    GAP_BEFORE = 1
    """Samples before this block are lost."""
    FILLED = 2
    """These samples stand in for lost ones; the source never sent them."""
    NEW_RUN = 4
    """The first block of a run."""
    START = 8
    """The first of a recording."""
    STOP = 16
    """The last of a recording."""
    ROLL_OVER = 32
    """The first of a further part of a recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples that arrived together."""

    samples: Samples
    """Shape (points, *frame shape); points may be 0. Valid until the next item is asked for."""
    counter: int
    """The source's own block number; counts up by one, a jump is lost blocks."""
    arrival_s: float
    """When its last byte arrived, on the rig's clock (`time.monotonic`-like seconds)."""
    markers: tuple[Marker, ...] = ()
    """Positions count from the block's first sample."""
    flags: BlockFlags = BlockFlags.NONE


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """Blocks of equal size in a row, without markers, that arrived together."""

    samples: Samples
    """Shape (blocks, points, *frame shape), points 1 at least; strided as it may be, such as a view
    of what was received. Valid until the next item is asked for."""
    counter: int
    """The source's number of the first block; the others count up from it by one."""
    arrival_s: float
    """When the last byte of the last block arrived, on the rig's clock."""
    flags: BlockFlags = BlockFlags.NONE
    """Of the first block; the others have none."""


@dataclass(frozen=True, slots=True)
class Run:
    """The samples that follow have this layout; a new run begins."""

    info: StreamInfo


@dataclass(frozen=True, slots=True)
class Lull:
    """No samples for now."""

    reason: str
    """What the user is to know, such as ``waiting for the amplifier's START message``."""
    lost: bool = False
    """Whether a connection or a device was lost, rather than paused or not yet begun."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the stream that is worth an event and a line in the log."""

    kind: str
    """Such as ``state``, ``bad_markers``, ``protocol``."""
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


Item = Run | Block | Burst | Lull | Notice


class Device(Protocol):
    """What yields samples. Iterating opens it; closing the iterator closes it."""

    def __aiter__(self) -> AsyncIterator[Item]:
        """Yield items until the device is exhausted; failing connections are lulls, not errors.

        Raises:
            DeviceError: it can never deliver, such as by a wrong setting.
        """
        ...
