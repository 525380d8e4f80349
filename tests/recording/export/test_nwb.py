"""NWB exports, validated and read back by pynwb."""

import shutil
from pathlib import Path

import numpy as np
import pynwb
import pytest

import rigctl
from rigctl.blocks import Channel, StreamInfo
from rigctl.errors import RecordingError
from rigctl.recording.export import nwb
from rigctl.recording.manifest import seal
from rigctl.recording.stream_writer import StreamWriter
from tests.recording import making, opening
from tests.recording.export.exporting import exported, opened


def test_a_session_of_signals_and_images_is_valid_and_the_same(tmp_path: Path) -> None:
    names = {"amp": "int16", "wide": "float64", "other": "int32"}
    infos = {name: making.signal(dtype) for name, dtype in names.items()}
    rig = opened(tmp_path, **infos, video=making.images(), split=True)
    path = exported(rig, "nwb")
    assert pynwb.validate(path=str(path)) == []
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        for name in names:
            series = file.acquisition[name]
            np.testing.assert_array_equal(series.data[:], rig[name].samples[:])
            volts = series.data[:] * series.conversion
            np.testing.assert_allclose(volts, rig[name].physical() * 1e-6, rtol=1e-12)
        start_s = file.session_start_time.timestamp()
        series = file.acquisition["amp"]
        assert series.data.fletcher32 and series.data.compression == "gzip"
        np.testing.assert_allclose(
            series.timestamps[:] + start_s, rig["amp"].times[:], rtol=0, atol=3e-6
        )
        np.testing.assert_array_equal(file.acquisition["video"].data[:], rig["video"].samples[:])
        assert list(series.electrodes.table["channel_name"][:2]) == ["Ch0", "Ch1"]
        markers = file.intervals["markers"].to_dataframe()
        for marker in opening.MARKERS:
            rows = markers[(markers.stream == "amp") & (markers.marker == marker.description)]
            assert list(rows.position) == [marker.position] and list(rows.type) == [marker.type]
            at_s = rows.start_time.iloc[0] + start_s
            assert at_s == pytest.approx(rig["amp"].times[marker.position], abs=3e-6)
        gaps = file.invalid_times.to_dataframe()
        gaps = gaps[gaps.stream == "amp"]
        assert list(gaps.filled) == [opening.FILLED, 0] and list(gaps.missing) == [0, 7]
        assert (gaps.stop_time - gaps.start_time).tolist() == pytest.approx(
            [opening.FILLED / 1000, opening.LOST_S + 0.001], abs=2e-4
        )
        event, *_ = file.intervals["events"].to_dataframe().itertuples()
        assert (event.source, event.kind) == ("recorder", "stop")
        assert event.value == f'{{"text":"{opening.EVENT}"}}'
        assert event.start_time == pytest.approx(9 + 0.0002 * 0.9, abs=2e-5)
        assert file.identifier.startswith(f"{making.REF}/eeg@")
        assert '"reference": "desk"' in file.notes


def test_without_gaps_a_rate_is_enough_and_each_unit_has_its_series(tmp_path: Path) -> None:
    channels = (Channel("Fz", "µV", 0.5), Channel("Ref", "mV", 2.0), Channel("Temp", "C", 0.1))
    info = StreamInfo("int32", (3,), making.signal().rate_hz, channels)
    session = opening.create(tmp_path)
    frames = making.frames(info, 80)
    with StreamWriter.create(session.path / "amp", info, name="amp") as writer:
        opening.append(writer, frames, 0, 40)
        opening.append(writer, frames, 40, 80)
    seal(session)
    rig = rigctl.open_session(session.path).rig
    path = exported(rig, "nwb")
    assert pynwb.validate(path=str(path)) == []
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        volts, warmth = file.acquisition["amp"], file.acquisition["amp_2"]
        assert volts.rate == 1000 and volts.timestamps is None
        assert volts.starting_time == pytest.approx(0.501, abs=1e-6)
        np.testing.assert_allclose(volts.channel_conversion[:], [0.5e-6, 2e-3])
        np.testing.assert_array_equal(volts.data[:], frames[:, :2])
        np.testing.assert_array_equal(warmth.data[:], frames[:, 2:])
        assert (warmth.unit, warmth.conversion) == ("C", 0.1)


def test_a_disk_that_may_be_too_small_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDF5 does not survive a disk that is full."""
    rig = opened(tmp_path, amp=making.signal())
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(nwb.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RecordingError, match="has 1.0 MB free, and an NWB file may take 1.0 MB"):
        exported(rig, "nwb")
    assert list((rig.path / "derived").iterdir()) == []
