"""Finding sessions and reading streams, while they are recorded and after."""

from pathlib import Path

import mne
import numpy as np
import pytest

from rigctl.blocks import Marker
from rigctl.errors import RecordingError, SessionNotFound
from rigctl.messages import ExpRef
from rigctl.recording import layout
from rigctl.recording.manifest import seal
from rigctl.recording.reader import find_sessions, open_stream, reference_of, resolve
from rigctl.recording.verify import verify
from tests.recording import making


def test_sessions_are_found_oldest_first_with_what_they_hold(tmp_path: Path) -> None:
    for reference in ("2024-01-02_1_subject", "2024-01-01_10_subject", "2024-01-01_2_other"):
        making.make_session(tmp_path, ref=ExpRef.parse(reference))
    session = making.make_session(tmp_path)
    making.record(session, making.signal())
    seal(session)
    (tmp_path / "notes/2024-01-01/x/y").mkdir(parents=True)
    entries = find_sessions(tmp_path)
    assert [entry.ref for entry in entries] == [
        "2024-01-01_1_subject",
        "2024-01-01_2_other",
        "2024-01-01_10_subject",
        "2024-01-02_1_subject",
    ]
    first = entries[0]
    assert (first.rig, first.state, first.sealed) == ("eeg", "RUNNING", True)
    assert first.samples == {"amp": 18}
    assert first.start_unix_s == making.header().clock.unix_s
    assert not entries[1].sealed


def test_a_damaged_session_is_listed_as_such(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    (session.path / layout.SESSION).write_bytes(b"{}")
    assert [(entry.rig, entry.state) for entry in find_sessions(tmp_path)] == [("eeg", "DAMAGED")]


def test_a_root_that_is_not_there_has_no_sessions(tmp_path: Path) -> None:
    assert find_sessions(tmp_path / "none") == []


def test_a_reference_or_a_path_is_resolved(tmp_path: Path) -> None:
    eeg, video = making.make_session(tmp_path, "eeg"), making.make_session(tmp_path, "video")
    making.make_session(tmp_path, "serial").set_aside("START failed")
    roots = [tmp_path / "none", tmp_path]
    assert resolve("2024-01-01_1_subject", roots) == [eeg.path, video.path]
    assert resolve(str(eeg.path.parent), roots) == [eeg.path, video.path]
    assert resolve(str(eeg.path), []) == [eeg.path]


def test_a_rig_that_has_lost_its_session_file_is_meant_too(tmp_path: Path) -> None:
    """Else a session would verify that has lost one of its rigs."""
    eeg, video = making.make_session(tmp_path, "eeg"), making.make_session(tmp_path, "video")
    making.record(eeg, making.signal())
    (eeg.path / layout.SESSION).unlink()
    assert resolve("2024-01-01_1_subject", [tmp_path]) == [eeg.path, video.path]
    assert [problem.split(":")[0] for problem in verify(eeg.path).problems] == ["session.json"]


def test_a_folder_that_stands_too_high_has_no_reference() -> None:
    assert reference_of(Path("/eeg")) is None


@pytest.mark.parametrize("target", ["2024-01-01_7_subject", "nonsense"])
def test_a_session_that_is_not_there_is_told_with_where_it_was_looked_for(
    tmp_path: Path, target: str
) -> None:
    with pytest.raises(SessionNotFound) as caught:
        resolve(target, [tmp_path])
    assert target in str(caught.value)
    assert str(tmp_path) in str(caught.value) or "neither a folder nor" in str(caught.value)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_mne_reads_a_sealed_session(tmp_path: Path, dtype: str) -> None:
    session = making.make_session(tmp_path)
    info = making.signal(dtype)
    making.record(session, info)
    seal(session)
    raw = mne.io.read_raw_brainvision(session.path / "amp/data.vhdr", preload=True, verbose="error")
    samples = open_stream(session.path / "amp").samples
    np.testing.assert_allclose(raw.get_data().T, samples * np.float64(0.5e-6), rtol=1e-12)
    assert raw.annotations.description.tolist() == [
        "Stimulus/S  1",
        "Response/R, 2",
        "Comment/GAP 2",
    ]
    assert raw.info["meas_date"] == making.WHEN


def test_readers_see_only_what_the_index_covers(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    making.record(session, making.signal())
    folder = session.path / "amp"
    with (folder / "data.eeg").open("ab") as file:
        file.write(b"not yet indexed")
    with (folder / "data.idx").open("ab") as file:
        file.write(b"half a record")
    assert len(open_stream(folder).samples) == 18


def test_data_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    making.record(session, making.signal())
    data = session.path / "amp/data.eeg"
    data.write_bytes(data.read_bytes()[:-5])
    assert len(open_stream(data.parent).samples) == 17


def test_an_empty_stream_is_read_as_empty(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    writer = making.StreamWriter.create(session.path / "amp", making.signal(), name="amp")
    writer.close()
    read = open_stream(writer.folder)
    assert read.samples.shape == (0, 2)
    assert (read.gaps, read.markers) == ([], ())


def test_markers_of_a_stream_that_is_no_signal_come_from_the_events(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    making.record(session, making.images())
    markers = open_stream(session.path / "amp").markers
    assert Marker(1, "Stimulus", "S  1") in markers
    assert Marker(12, "Comment", "GAP 2", 2) in markers


def test_a_stream_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"stream\.json: No such file"):
        open_stream(tmp_path)
