"""What a simulated server plays: samples by their index, with markers (pure).

From: `synthetic`, `replay`.  To: `simulator`, `devices.simulated`.
"""

from typing import Protocol

from rigctl.blocks import Marker, Samples, StreamInfo


class Source(Protocol):
    """Samples and markers that are the same whenever they are asked for."""

    @property
    def info(self) -> StreamInfo:
        """The layout of what `read` returns."""
        ...

    @property
    def points(self) -> int | None:
        """How many points there are; None for a source without end."""
        ...

    def read(self, begin: int, points: int) -> Samples:
        """Return these points, shape (points, *frame shape)."""
        ...

    def markers(self, begin: int, points: int) -> tuple[Marker, ...]:
        """Return the markers on these points; positions count from `begin`."""
        ...
