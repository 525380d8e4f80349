"""The mapped files of one ring, together.

From: a ring's folder.  To: its writer, its readers and their cursors.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigctl.errors import RingError
from rigctl.streams.blocktable import BlockTable
from rigctl.streams.head import Head
from rigctl.streams.layout import MARKERS, SAMPLES, Plan
from rigctl.streams.mapping import FrameRing, create_frames, open_frames
from rigctl.streams.registry import Registry

_BYTE = np.dtype(np.uint8)


@dataclass(frozen=True, slots=True)
class Segment:
    """The parts of a ring."""

    head: Head
    samples: FrameRing
    markers: FrameRing
    table: BlockTable
    registry: Registry

    @classmethod
    def create(cls, folder: Path, plan: Plan) -> "Segment":
        """Create the files in an empty folder.

        Raises:
            OSError: there is no room, or the system cannot map as planned.
        """
        shape, kind = (plan.capacity, *plan.info.shape), plan.info.numpy_dtype
        return cls(
            samples=create_frames(folder / SAMPLES, kind, shape, mirrored=plan.mirrored),
            markers=create_frames(
                folder / MARKERS, _BYTE, (plan.marker_bytes,), mirrored=plan.mirrored
            ),
            table=BlockTable.create(folder, plan.block_slots),
            head=Head.create(folder, plan),
            registry=Registry.create(folder),
        )

    @classmethod
    def open(cls, folder: Path) -> "Segment":
        """Map the files for reading.

        Raises:
            RingError: it is no ring of this version.
        """
        try:
            return cls._open(folder)
        except (OSError, ValueError) as error:
            raise RingError(f"{folder} is no ring that can be read: {error}") from error

    @classmethod
    def _open(cls, folder: Path) -> "Segment":
        with contextlib.ExitStack() as undo:
            head = Head(folder, writable=False)
            undo.callback(head.close)
            plan, kind = head.plan, head.plan.info.numpy_dtype
            shape, mirrored = (plan.capacity, *plan.info.shape), plan.mirrored
            segment = cls(
                head=head,
                samples=open_frames(folder / SAMPLES, kind, shape, mirrored=mirrored),
                markers=open_frames(
                    folder / MARKERS, _BYTE, (plan.marker_bytes,), mirrored=mirrored
                ),
                table=BlockTable(folder, plan.block_slots, writable=False),
                registry=Registry(folder),
            )
            undo.pop_all()
        return segment

    def close(self) -> None:
        """Give the descriptors back; memory goes with the last array that shows it."""
        self.head.close()
        self.registry.close()
