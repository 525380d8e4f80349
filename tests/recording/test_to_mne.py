"""Recorded signals as `mne.io.Raw`: values, times, markers and gaps."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rigctl
from rigctl.errors import RecordingError
from rigctl.recording import extras
from tests.recording import making, opening


@pytest.mark.parametrize(
    ("dtype", "parts"),
    [("int16", 1), ("float32", 1), ("int32", 1), ("float64", 1), ("uint8", 1), ("float32", 2)],
)
def test_a_signal_is_read_with_its_markers_and_gaps(tmp_path: Path, dtype: str, parts: int) -> None:
    session, frames = opening.make(tmp_path, split=parts > 1, amp=making.signal(dtype))
    amp = rigctl.open_session(session.path).stream("amp")
    raw = amp.raw()
    expected = frames["amp"].T * 0.5e-6
    np.testing.assert_allclose(raw.get_data(), expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(raw.copy().get_data([1], 50, 60), expected[1:, 50:60], rtol=1e-6)
    assert raw.info["sfreq"] == 1000 and raw.ch_names == ["Ch0", "Ch1"]
    assert raw.get_channel_types() == ["eeg", "eeg"]
    begins = datetime.fromtimestamp(amp.times[0], UTC)
    assert abs((raw.info["meas_date"] - begins).total_seconds()) < 2e-6
    noted = [
        (a["description"], round(a["onset"] * 1000), round(a["duration"] * 1000))
        for a in raw.annotations
    ]
    assert ("Stimulus/S  1", 1, 1) in noted
    assert ("Response/Jürgen, 左 µ", 5, 3) in noted
    assert ("BAD_GAP", 2 * opening.POINTS, opening.FILLED) in noted
    assert ("BAD_GAP", opening.SECOND, 0) in noted


def test_units_that_are_no_voltage_stay_as_they_are(tmp_path: Path) -> None:
    info = making.signal("int32")
    mixed = (info.channels[0], type(info.channels[0])("Temp", "C", 0.1))
    session, frames = opening.make(tmp_path, amp=type(info)("int32", (2,), info.rate_hz, mixed))
    raw = rigctl.open_session(session.path).stream("amp").raw()
    assert raw.get_channel_types() == ["eeg", "misc"]
    np.testing.assert_allclose(raw.get_data()[1], frames["amp"][:, 1] * 0.1)


def test_a_recording_that_goes_on_is_read_as_far_as_it_was(tmp_path: Path) -> None:
    session, frames = opening.make(tmp_path, amp=making.signal("int16"))
    amp = rigctl.open_session(session.path).stream("amp")
    with (session.path / "amp/data.eeg").open("ab") as file:
        file.write(bytes(40))
    assert amp.raw().n_times == opening.COUNT


def test_images_are_no_signal(tmp_path: Path) -> None:
    session, _ = opening.make(tmp_path, video=making.images())
    video = rigctl.open_session(session.path).stream("video")
    with pytest.raises(
        RecordingError, match=r"video holds frames of uint8 \(3, 4\): an mne.io.Raw"
    ):
        video.raw()


def test_a_library_that_is_not_there_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = opening.make(tmp_path, amp=making.signal())

    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras.importlib, "import_module", absent)
    with pytest.raises(RecordingError, match=r"needs mne, .*pip install 'rigctl\[mne\]'"):
        rigctl.open_session(session.path).stream("amp").raw()
