"""A recording as a source, as the file holds it."""

import shutil

import numpy as np
import pytest

from rigctl.errors import ConfigError, RecordingError
from rigctl.rda.replay import ReplaySource


def make_float32(folder, recording_vhdr):
    text = recording_vhdr.read_text(encoding="utf-8").replace("INT_16", "IEEE_FLOAT_32")
    (folder / "test.vhdr").write_text(text, encoding="utf-8")
    samples = np.fromfile(recording_vhdr.with_suffix(".eeg"), "<i2").astype("<f4") + 0.5
    samples.tofile(folder / "test.eeg")
    shutil.copy(recording_vhdr.with_suffix(".vmrk"), folder)
    return folder / "test.vhdr"


@pytest.mark.parametrize("dtype", [None, "int16", "float32"])
def test_int16_is_read_unscaled_as_either_type(recording_vhdr, dtype):
    source = ReplaySource(recording_vhdr, dtype)
    raw = np.fromfile(recording_vhdr.with_suffix(".eeg"), "<i2").reshape(-1, 32)
    assert source.points == len(raw) == 7900
    assert source.info.dtype == (dtype or "int16")
    assert source.read(100, 50).dtype == source.info.numpy_dtype
    assert np.array_equal(source.read(100, 50), raw[100:150])
    assert source.info.channels[27].unit == "µS"


def test_markers_count_from_where_reading_begins(recording_vhdr):
    source = ReplaySource(recording_vhdr)
    (marker,) = source.markers(480, 10)
    assert (marker.position, marker.description, marker.points) == (6, "S253", 0)
    assert len(source.markers(0, 7900)) == 14


def test_float32_is_read_as_float32_only(tmp_path, recording_vhdr):
    path = make_float32(tmp_path, recording_vhdr)
    assert ReplaySource(path).info.dtype == "float32"
    with pytest.raises(ConfigError, match="cannot be sent as int16 without loss"):
        ReplaySource(path, "int16")
    with pytest.raises(ConfigError, match="int16 or float32, not float64"):
        ReplaySource(path, "float64")


def test_markers_outside_of_the_recording_are_left_out_with_a_warning(
    tmp_path, recording_vhdr, caplog
):
    for suffix in (".vhdr", ".eeg", ".vmrk"):
        shutil.copy(recording_vhdr.with_suffix(suffix), tmp_path)
    marks = tmp_path / "test.vmrk"
    marks.chmod(0o644)
    marks.write_text(marks.read_text() + "Mk15=Comment,late,7901,1,0\n")
    source = ReplaySource(tmp_path / "test.vhdr")
    assert len(source.markers(0, 10_000)) == 14
    assert "1 markers outside" in caplog.text


def test_an_empty_or_missing_recording_is_refused(tmp_path, recording_vhdr):
    shutil.copy(recording_vhdr, tmp_path)
    (tmp_path / "test.eeg").touch()
    with pytest.raises(ConfigError, match="no samples"):
        ReplaySource(tmp_path / "test.vhdr")
    with pytest.raises(RecordingError):
        ReplaySource(tmp_path / "none.vhdr")
