"""A recorded signal as MNE-Python's `Raw`, without a copy in memory.

From: `recording.opened_stream`.  To: analysis.

A signal of one part is a BrainVision file, and read as that; others are read through a `Raw` of
our own, which takes the samples from the recording's mapped files whenever MNE asks for some.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from rigctl.recording.extras import library

if TYPE_CHECKING:
    from rigctl.recording.opened_stream import OpenStream

GAP = "BAD_GAP"

VOLTS = {"V": 1.0, "mV": 1e-3, "µV": 1e-6, "μV": 1e-6, "uV": 1e-6, "nV": 1e-9}
"""How many volts a unit is; both ways to write a micro."""


def raw_of(stream: OpenStream) -> Any:
    """Return a stream as `mne.io.Raw`; see `OpenStream.raw`.

    Raises:
        RecordingError: it is no signal, or MNE-Python is not installed.
    """
    stream.check_signal("an mne.io.Raw")
    mne = library("mne", "mne")
    headers = stream.part_headers()
    if len(headers) == 1 and len(stream):
        raw = mne.io.read_raw_brainvision(headers[0], verbose="error")
        if raw.n_times > len(stream):  # more has been recorded since it was opened
            raw.crop(tmax=(len(stream) - 1) / raw.info["sfreq"])
    else:
        raw = _own_raw(stream, mne)
    begins = datetime.fromtimestamp(float(stream.times.at(0)), UTC)
    raw.set_meas_date(begins)
    return raw.set_annotations(_annotations(stream, mne))


def volts(unit: str) -> float | None:
    """Return how many volts a unit is; None where it is none of voltage."""
    return VOLTS.get(unit)


def _annotations(stream: OpenStream, mne: Any) -> Any:
    rate_hz, end = stream.rate_hz, len(stream)
    marked = [m for m in stream.markers if m.position < end]
    onsets = [m.position for m in marked] + [gap.position for gap in stream.gaps]
    lengths = [m.points for m in marked] + [gap.filled for gap in stream.gaps]
    texts = [f"{m.type}/{m.description}" for m in marked] + [GAP] * len(stream.gaps)
    return mne.Annotations(
        np.array(onsets) / rate_hz, np.array(lengths) / rate_hz, texts, orig_time=None
    )


def _own_raw(stream: OpenStream, mne: Any) -> Any:
    """Return a `Raw` that reads from the stream."""
    scales = [volts(channel.unit) for channel in stream.channels] or [None] * stream.info.shape[0]
    kinds = ["misc" if scale is None else "eeg" for scale in scales]
    resolutions = [channel.resolution for channel in stream.channels] or [1.0] * len(scales)
    factors = np.array([r * (s or 1.0) for r, s in zip(resolutions, scales, strict=True)])
    info = mne.create_info(stream.channel_names(), stream.rate_hz, kinds, verbose="error")

    class RecordedRaw(mne.io.BaseRaw):  # type: ignore[misc]  # its base is there only now
        """A recording of rigctl; nothing is read before it is asked for."""

        def _read_segment_file(
            self, data: Any, idx: Any, fi: int, start: int, stop: int, cals: Any, mult: Any
        ) -> None:
            # The name and the arguments are MNE-Python's; `cals` are ones.
            source = self._raw_extras[fi]["source"].stream
            block = np.asarray(source.samples[start:stop], np.float64).T * factors[:, np.newaxis]
            if mult is None:
                data[:] = block[idx]
            else:
                data[:] = mult @ block

    return RecordedRaw(
        info,
        preload=False,
        last_samps=[len(stream) - 1],
        filenames=[stream.path],
        raw_extras=[{"source": _Source(stream)}],
        verbose="error",
    )


class _Source:
    """Holds the stream for a `Raw`, whose copies share it: copying would read all of it."""

    def __init__(self, stream: OpenStream) -> None:
        self.stream = stream

    def __deepcopy__(self, _: Any) -> _Source:
        return self
