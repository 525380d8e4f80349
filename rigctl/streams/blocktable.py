"""The ring of block records, and the markers that belong to them, as bytes.

From: the writer.  To: cursors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from rigctl.blocks import BlockFlags, Marker
from rigctl.errors import RingError
from rigctl.streams.layout import BLOCK, BLOCKS, WORD
from rigctl.streams.mapping import create_file, map_file

FIRST_SAMPLE_FLAGS = (
    BlockFlags.GAP_BEFORE | BlockFlags.NEW_RUN | BlockFlags.START | BlockFlags.ROLL_OVER
)
"""What is true of a block's first sample, so of the first of its pieces only."""

_COUNTER, _FIRST, _FLAGS = 0, 1, 4
"""Which words of a row these are."""

_Fields = tuple[int, str, str, int, int]
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[_Fields])


class Row(NamedTuple):
    """A block record as it is stored, see `layout`."""

    counter: int
    first: int
    points: int
    arrival_s: float
    flags: int
    run: int
    markers_begin: int
    markers_end: int

    @property
    def stop(self) -> int:
        """The sample after the block's last."""
        return self.first + self.points


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What is known of a block besides its samples."""

    counter: int
    """The source's own number; equal ones in a row are pieces of one block."""
    first: int
    """Its first sample, counted from the ring's beginning."""
    points: int
    arrival_s: float
    """When its last byte arrived, on the rig's clock."""
    flags: BlockFlags
    run: int
    """The number of its run in this ring."""
    size: int = 0
    """How many samples it had before it was cut; 0 where it is whole."""

    @property
    def whole_points(self) -> int:
        """How many samples the block has, those included that are cut off here."""
        return self.size or self.points


class BlockTable:
    """A ring of rows; reading does not tell whether what was read is still valid.

    Args:
        folder: the ring's.
        slots: how many rows it holds; a power of two.
        writable: whether this is the writer.

    Raises:
        RingError: the file has another size.
    """

    def __init__(self, folder: Path, slots: int, *, writable: bool) -> None:
        self._slots = slots
        self.memory = map_file(folder / BLOCKS, writable=writable)
        if len(self.memory) != slots * BLOCK.size:
            raise RingError(f"{folder / BLOCKS}: its size is not what the ring's head says")
        self._words = np.frombuffer(self.memory, np.int64).reshape(slots, -1)
        # Rows of equal blocks are the first one's words, and so much more for each that follows.
        self._first = np.zeros(BLOCK.size // WORD, np.int64)
        self._steps = np.zeros_like(self._first)
        self._steps[_COUNTER] = 1
        self._numbers = np.arange(slots if writable else 0).reshape(-1, 1)

    @classmethod
    def create(cls, folder: Path, slots: int) -> "BlockTable":
        """Create the file and open it for writing."""
        with create_file(folder / BLOCKS, slots * BLOCK.size):
            pass
        return cls(folder, slots, writable=True)

    def put(self, number: int, row: Row) -> None:
        """Store a row."""
        BLOCK.pack_into(self.memory, (number & (self._slots - 1)) * BLOCK.size, *row)

    def put_many(self, number: int, count: int, first: Row) -> None:
        """Store rows of equal blocks in a row, at most as many as there are, without markers.

        Args:
            number: of the first block.
            count: how many blocks.
            first: the row of the first; the flags are its alone.
        """
        BLOCK.pack_into(self._first.data, 0, *first)
        self._first[_FLAGS], self._steps[_FIRST] = 0, first.points
        at = number & (self._slots - 1)
        straight = min(count, self._slots - at)
        self._put_straight(at, 0, straight)
        if straight < count:
            self._put_straight(0, straight, count)
        self._words[at, _FLAGS] = first.flags

    def _put_straight(self, at: int, begin: int, end: int) -> None:
        words = self._words[at : at + end - begin]
        np.multiply(self._numbers[begin:end], self._steps, out=words)
        np.add(words, self._first, out=words)

    def row(self, number: int) -> Row:
        """Return a row."""
        at = (number & (self._slots - 1)) * BLOCK.size
        return Row(*BLOCK.unpack_from(self.memory, at))

    def rows(self, start: int, stop: int) -> list[Row]:
        """Return rows, at most as many as there are."""
        at = start & (self._slots - 1)
        straight = min(stop - start, self._slots - at)
        raw = self.memory[at * BLOCK.size : (at + straight) * BLOCK.size]
        raw += self.memory[: (stop - start - straight) * BLOCK.size]
        return [Row(*fields) for fields in BLOCK.iter_unpack(raw)]


def encode_markers(markers: tuple[Marker, ...]) -> bytes:
    """Return markers as bytes; none as no byte."""
    if not markers:
        return b""
    try:
        return _ENCODER.encode([_fields(marker) for marker in markers])
    except UnicodeEncodeError:
        # Halves of surrogate pairs are no text, but a reason to lose samples even less.
        return _ENCODER.encode([_fields(_encodable(marker)) for marker in markers])


def decode_markers(raw: bytes, first: int) -> list[Marker]:
    """Read what `encode_markers` wrote; positions become absolute.

    Args:
        raw: the bytes of one block's markers.
        first: the block's first sample.

    Raises:
        RingError: they are no markers.
    """
    if not raw:
        return []
    try:
        entries = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RingError(f"the markers at sample {first} cannot be read: {error}") from error
    return [
        Marker(first + position, kind, description, points, channel)
        for position, kind, description, points, channel in entries
    ]


def _fields(marker: Marker) -> _Fields:
    return marker.position, marker.type, marker.description, marker.points, marker.channel


def _encodable(marker: Marker) -> Marker:
    kind, description = (
        text.encode("utf-8", "replace").decode() for text in (marker.type, marker.description)
    )
    return Marker(marker.position, kind, description, marker.points, marker.channel)
