"""BrainVision exports of what is not recorded as that, read back by MNE-Python."""

from pathlib import Path

import mne
import numpy as np
import pytest

from rigctl.errors import RecordingError
from rigctl.recording.export.job import Job
from tests.recording import making, opening
from tests.recording.export.exporting import exported, opened


@pytest.mark.parametrize("dtype", ["int32", "float64", "uint8"])
def test_values_and_markers_are_read_by_mne(tmp_path: Path, dtype: str) -> None:
    rig = opened(tmp_path, amp=making.signal(dtype), split=dtype == "int32")
    folder = exported(rig, "brainvision")
    assert sorted(path.name for path in folder.iterdir()) == ["amp.eeg", "amp.vhdr", "amp.vmrk"]
    raw = mne.io.read_raw_brainvision(folder / "amp.vhdr")
    np.testing.assert_allclose(raw.get_data(), rig["amp"].physical().T * 1e-6, rtol=1e-7, atol=0)
    assert raw.info["sfreq"] == 1000 and raw.ch_names == ["Ch0", "Ch1"]
    noted = [(a["description"], round(a["onset"] * 1000)) for a in raw.annotations]
    for marker, text in zip(opening.MARKERS, opening.TEXTS, strict=True):
        assert (text, marker.position) in noted
    assert (f"Comment/GAP {opening.FILLED}", 2 * opening.POINTS) in noted
    assert ("New Segment/", opening.SECOND) in noted
    began = raw.info["meas_date"].timestamp()
    assert began == pytest.approx(rig["amp"].times[0], abs=2e-6)


def test_a_recording_that_is_brainvision_is_left_as_it_is(tmp_path: Path) -> None:
    rig = opened(tmp_path, amp=making.signal("int16"), wide=making.signal("int32"))
    done = Job(rig, "brainvision").run(lambda *_: None)
    assert done.already == [str(rig.path / "amp/data.vhdr")]
    assert done.path is not None
    assert {path.stem for path in Path(done.path).iterdir()} == {"wide"}
    alone = Job(rig, "brainvision", streams=["amp"]).run(lambda *_: None)
    assert alone.path is None and alone.already == done.already


def test_images_are_refused(tmp_path: Path) -> None:
    rig = opened(tmp_path, video=making.images())
    with pytest.raises(RecordingError, match="video holds frames of uint8 .*: a BrainVision file"):
        exported(rig, "brainvision")
