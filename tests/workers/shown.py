"""What a simulated device shows, beside what was recorded of it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rigctl.blocks import StreamInfo
from rigctl.rda.synthetic import SyntheticSource, Wave, periodic_markers
from rigctl.recording.reader import StreamReader


@dataclass(frozen=True)
class Shown:
    """The signal of a device."""

    layout: StreamInfo
    points: int
    """How many samples a block has."""
    markers_hz: int

    def check(self, stream: StreamReader, begin: int = 0, end: int | None = None) -> None:
        """Check a stretch of a recording, which begins with an append."""
        end = len(stream.samples) if end is None else end
        record = stream.index[np.searchsorted(stream.index["first"], begin)]
        assert record["first"] == begin
        number, count = int(record["counter"]) * self.points, end - begin
        expected = SyntheticSource(self.layout, Wave()).read(number, count)
        np.testing.assert_array_equal(stream.samples[begin:end], expected)
        told = [
            (marker.position, marker.description)
            for marker in stream.markers
            if marker.type == "Stimulus" and begin <= marker.position < end
        ]
        every = Fraction(self.layout.rate_hz, self.markers_hz)
        markers = periodic_markers(number, count, every)
        assert told == [(marker.position + begin, marker.description) for marker in markers]
