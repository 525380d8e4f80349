"""A BrainVision recording as the source of a simulated server.

From: a header file with its samples and markers.  To: `simulator`.

Samples are sent as the file holds them, with its resolution, units and names: int16 as int16, or
unscaled as float32, which holds every int16 exactly; float32 as float32 only.
"""

import logging
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

from rigctl.blocks import Marker, Samples
from rigctl.errors import ConfigError
from rigctl.recording.brainvision import map_samples, read_header, read_markers

_log = logging.getLogger(__name__)


class ReplaySource:
    """Plays a BrainVision recording.

    Args:
        header_path: the ``.vhdr`` file.
        dtype: ``int16`` or ``float32``; as in the file where it is not given.

    Raises:
        RecordingError: a file cannot be read, or is in a format that is not supported.
        ConfigError: the recording is empty, or its samples do not fit into `dtype`.
    """

    def __init__(self, header_path: Path, dtype: str | None = None) -> None:
        header = read_header(header_path)
        self.info = replace(header.info, dtype=dtype or header.info.dtype)
        _check(header_path, header.info.dtype, self.info.dtype)
        self._samples = map_samples(header_path.with_name(header.data_file), header)
        if not len(self._samples):
            raise ConfigError(str(header_path), "", "the recording holds no samples to replay")
        self.points: int | None = len(self._samples)
        marker_path = header_path.with_name(header.marker_file) if header.marker_file else None
        self._markers = self._inside(read_markers(marker_path)) if marker_path else []
        self._positions = [marker.position for marker in self._markers]

    def read(self, begin: int, points: int) -> Samples:
        """Return these points, shape (points, channels)."""
        samples: Samples = self._samples[begin : begin + points]
        return samples.astype(self.info.numpy_dtype, copy=False)

    def markers(self, begin: int, points: int) -> tuple[Marker, ...]:
        """Return the markers on these points; positions count from `begin`."""
        first = bisect_left(self._positions, begin)
        last = bisect_left(self._positions, begin + points)
        inside = self._markers[first:last]
        return tuple(replace(marker, position=marker.position - begin) for marker in inside)

    def _inside(self, markers: list[Marker]) -> list[Marker]:
        """Return the markers that stand on a sample, in order."""
        kept = [one for one in markers if 0 <= one.position < len(self._samples)]
        if len(kept) < len(markers):
            _log.warning(
                "%d markers outside of the recording are not sent", len(markers) - len(kept)
            )
        return sorted(kept, key=lambda marker: marker.position)


def _check(path: Path, stored: str, sent: str) -> None:
    if sent not in ("int16", "float32"):
        raise ConfigError(str(path), "dtype", f"RDA sends int16 or float32, not {sent}")
    if stored != sent and (stored, sent) != ("int16", "float32"):
        raise ConfigError(
            str(path), "dtype", f"its {stored} samples cannot be sent as {sent} without loss"
        )
