"""One stream of an opened session: samples, times, markers, gaps; and as MNE-Python's `Raw`.

From: `recording.reader`, `recording.session_clock`.  To: analysis, exports.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rigctl.blocks import Channel, Marker, StreamInfo
from rigctl.errors import RecordingError
from rigctl.recording import layout, to_mne
from rigctl.recording.index import Records
from rigctl.recording.markers import NEW_SEGMENT, LoggedMarker
from rigctl.recording.parts import JoinedParts
from rigctl.recording.reader import Gap, StreamReader
from rigctl.recording.session_clock import SessionClock
from rigctl.recording.times import Segment, Times, corners, segments

_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, eq=False)
class OpenStream:
    """One stream's folder as it was when it was opened; open the session again to see more."""

    reader: StreamReader
    clock: SessionClock
    logged: Sequence[LoggedMarker] = ()
    """Its markers in the session's events, which know when each segment began."""

    @property
    def name(self) -> str:
        """Its folder's name: the stream's, and a number where its layout changed on the way."""
        return self.reader.path.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.reader.path

    @property
    def info(self) -> StreamInfo:
        """The layout of the samples."""
        return self.reader.info

    @property
    def rate_hz(self) -> float:
        """Samples per second, nominal; `info.rate_hz` is exact."""
        return float(self.info.rate_hz)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Names, units and resolutions; empty for images and the like."""
        return self.info.channels

    @property
    def samples(self) -> npt.NDArray[Any] | JoinedParts:
        """As recorded, shape (samples, *frame shape), read from disk when they are asked for."""
        return self.reader.samples

    @property
    def markers(self) -> tuple[Marker, ...]:
        """What the source placed on samples; positions count from the first sample, from 0."""
        return self.reader.markers

    @property
    def gaps(self) -> list[Gap]:
        """Where samples are lost, and how many."""
        return self.reader.gaps

    @cached_property
    def segments(self) -> list[Segment]:
        """Stretches in which no sample is lost that nothing stands in for."""
        end = len(self.samples)
        return [one for one in segments(self.reader.index) if one.start < end]

    @cached_property
    def times(self) -> Times:
        """When each sample was taken, in seconds since 1970 on the synchronised clock.

        Rig clock (see `rig_times`) + the measured offset of the reference's clock; without one,
        the rig clock itself. See `recording.times` and `recording.session_clock` for how.
        """
        return self._times(self._synchronised())

    @cached_property
    def rig_times(self) -> Times:
        """When each sample was taken on the rig's own clock, which never jumps."""
        return self._times(self._on_rig_clock())

    def physical(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float64]:
        """Return samples x resolution, in each channel's unit, shape (samples, channels)."""
        chunk = np.asarray(self.samples[start:stop], np.float64)
        scale = [channel.resolution for channel in self.channels]
        return chunk * np.array(scale) if scale else chunk

    def chunks(self) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Yield the samples in pieces of some megabytes, each with its first one's position."""
        size = max(1, _CHUNK_BYTES // self.info.frame_bytes)
        for start in range(0, len(self.samples), size):
            yield start, self.samples[start : start + size]

    def raw(self) -> Any:
        """Return the signal as `mne.io.Raw`, read from disk when it is asked for.

        Markers are annotations; so are gaps, as ``BAD_GAP``: as long as what stands in for lost
        samples, or without length where nothing does. Measured at the first sample's time.

        Raises:
            RecordingError: it is no signal, or MNE-Python is not installed.
        """
        return to_mne.raw_of(self)

    def part_headers(self) -> list[Path]:
        """Return the BrainVision header of each part; none where it is not recorded as that."""
        if not self.info.is_signal:
            return []
        parts = dict.fromkeys(self.reader.index["part"].tolist()) or {1: None}
        names = (layout.part_name(self.reader.header.data, part) for part in parts)
        return [(self.path / name).with_suffix(".vhdr") for name in names]

    def check_signal(self, what: str) -> None:
        """Raise unless it is a signal: one value per channel.

        Args:
            what: what wants a signal, such as ``an XDF file``.

        Raises:
            RecordingError: it is not.
        """
        info = self.info
        if len(info.shape) != 1 or info.numpy_dtype.kind not in "iuf":
            raise RecordingError(
                f"stream {self.name} holds frames of {info.dtype} {info.shape}: {what} holds "
                "signals, one number per channel"
            )

    def channel_names(self) -> list[str]:
        """Return the channels' names, all different; numbers where they have none."""
        count = int(np.prod(self.info.shape, dtype=np.int64))
        names = [channel.name for channel in self.channels] or [f"Ch{n + 1}" for n in range(count)]
        return [
            name if names.count(name) == 1 else f"{name}-{number}"
            for number, name in enumerate(names, start=1)
        ]

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        info = self.info
        shape = f"{info.shape[0]} channels" if len(info.shape) == 1 else f"frames {info.shape}"
        lasts_s = len(self) / self.rate_hz
        return (
            f"<stream {self.name}: {len(self)} samples ({lasts_s:.1f} s) of {shape} at "
            f"{self.rate_hz:g} Hz, {info.dtype}, {len(self.gaps)} gaps, "
            f"{len(self.markers)} markers>"
        )

    def _times(self, found: list[tuple[Any, Any]]) -> Times:
        period_s = float(1 / self.info.rate_hz)
        both = [np.concatenate(part) for part in zip(*found, strict=True)] or [np.empty(0)] * 2
        return Times(len(self), (both[0], both[1]), self.clock.origin_unix_s, period_s)

    def _on_rig_clock(self) -> list[tuple[Any, Any]]:
        return [self._corners(segment) for segment in self.segments]

    def _corners(self, segment: Segment) -> tuple[Any, Any]:
        arrivals = segment.records["arrival_s"]
        seconds = self.clock.rig_s(arrivals, self._boot(segment.start, segment.records))
        return corners(segment, seconds, self.info.rate_hz)

    def _boot(self, start: int, records: Records) -> int:
        began = [entry.when for entry in self.logged if _begins(entry, start) and entry.when]
        if not began:
            return 0
        return self.clock.boot_at(float(records[0]["arrival_s"]), began[-1].timestamp())

    def _synchronised(self) -> list[tuple[Any, Any]]:
        """Bend the line where the clock's offset was measured."""
        measured_s, _ = self.clock.corrections
        found = []
        for positions, seconds in self._on_rig_clock():
            inside = measured_s[(measured_s > seconds[0]) & (measured_s < seconds[-1])]
            every_s = np.union1d(seconds, inside)
            found.append(
                (np.interp(every_s, seconds, positions), self.clock.synchronised_s(every_s))
            )
        return found


def _begins(entry: LoggedMarker, start: int) -> bool:
    return entry.type == NEW_SEGMENT and entry.position == start
