"""Markers: what is logged makes the marker file anew, and nothing that it held is lost."""

from datetime import timedelta
from pathlib import Path

import pytest

from rigctl.recording import brainvision
from rigctl.recording.events import EventLog, read_events
from rigctl.recording.marker_file import MarkerFile
from rigctl.recording.markers import (
    LoggedMarker,
    logged_markers,
    marker_event,
    regenerate,
)
from tests.recording.making import WHEN

SEGMENT = LoggedMarker(0, "New Segment", when=WHEN)
STIMULUS = LoggedMarker(5, "Stimulus", "S  1")
END = 10


def written(path: Path, *entries: LoggedMarker) -> Path:
    file = MarkerFile(path / "data.vmrk", "data.eeg")
    file.append(entries)
    file.sync()
    file.close()
    return file.path


def test_a_marker_comes_back_from_the_events(tmp_path: Path) -> None:
    entries = [SEGMENT, STIMULUS, LoggedMarker(7, "Comment", "µ, \n", 3, 1)]
    with EventLog(tmp_path / "events.jsonl") as log:
        log.append_many(marker_event("amp", entry) for entry in reversed(entries))
        log.append("amp", "state", "x")
        log.append_many([marker_event("amp.2", STIMULUS)])
        log.append("amp", "marker", "not one of ours")
    assert logged_markers(read_events(log.path).events, "amp") == entries


def test_a_regenerated_file_is_the_same_as_the_live_one(tmp_path: Path) -> None:
    path = written(tmp_path, SEGMENT, STIMULUS)
    live = path.read_bytes()
    regenerate(path, "data.eeg", [SEGMENT, STIMULUS], END)
    assert path.read_bytes() == live


def test_markers_are_put_in_order_and_numbered(tmp_path: Path) -> None:
    path = written(tmp_path, STIMULUS, SEGMENT)
    regenerate(path, "data.eeg", [SEGMENT, STIMULUS], END)
    assert [marker.position for marker in brainvision.read_markers(path)] == [0, 5]
    lines = path.read_text().splitlines()[-2:]
    assert [line.partition("=")[0] for line in lines] == ["Mk1", "Mk2"]


def test_a_line_that_a_kill_tore_is_made_whole(tmp_path: Path) -> None:
    path = written(tmp_path, SEGMENT, STIMULUS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    regenerate(path, "data.eeg", [SEGMENT, STIMULUS], END)
    assert path.read_bytes() == whole


def test_what_only_the_file_has_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, SEGMENT, STIMULUS, STIMULUS, LoggedMarker(3, "Response", "R  1"))
    before = brainvision.read_markers(path)
    regenerate(path, "data.eeg", [STIMULUS], END)
    assert sorted(brainvision.read_markers(path), key=repr) == sorted(before, key=repr)
    assert "3 markers are not in the events" in caplog.text
    assert WHEN.strftime("%Y%m%d%H%M%S%f") in path.read_text()


def test_one_new_segment_stands_at_a_place_the_one_with_its_time(tmp_path: Path) -> None:
    path = written(tmp_path)
    source = LoggedMarker(0, "New Segment")
    later = LoggedMarker(9, "New Segment", when=WHEN + timedelta(seconds=1))
    regenerate(path, "data.eeg", [source, SEGMENT, STIMULUS, later], END)
    assert [marker.position for marker in brainvision.read_markers(path)] == [0, 5, 9]
    assert path.read_text().count("20240101123015250000") == 1


def test_a_marker_beyond_the_end_stays_in_the_events(tmp_path: Path) -> None:
    path = written(tmp_path, SEGMENT, STIMULUS)
    assert regenerate(path, "data.eeg", [SEGMENT, STIMULUS], 4)
    assert [marker.position for marker in brainvision.read_markers(path)] == [0]
    assert [file.name for file in tmp_path.iterdir()] == ["data.vmrk"]
    assert not regenerate(path, "data.eeg", [SEGMENT, STIMULUS], 4)


def test_what_cannot_be_taken_over_is_moved_aside(tmp_path: Path) -> None:
    path = written(tmp_path, SEGMENT)
    lines = b"Mk2=Stimulus,x,y,1,0\n\x00\x00\nMk3=Stimulus,far,99,1,0\nMk4=Stim"
    path.write_bytes(path.read_bytes() + lines)
    regenerate(path, "data.eeg", [SEGMENT], END)
    assert (tmp_path / "data.vmrk.torn").read_bytes() == lines
    assert [marker.position for marker in brainvision.read_markers(path)] == [0]
