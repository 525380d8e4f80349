"""A session opened with one call: samples, times, events, clock, gaps; live and after."""

from pathlib import Path

import numpy as np
import pytest

import rigctl
from rigctl.errors import NotRecorded, RecordingError, SessionNotFound
from rigctl.recording.events import EventLog
from rigctl.recording.layout import EVENTS
from rigctl.recording.stream_writer import StreamWriter
from tests.recording import making, opening

REF = str(making.REF)
INFO = making.signal("int16")


def test_a_reference_opens_all_that_was_recorded(tmp_path: Path) -> None:
    _, frames = opening.make(tmp_path, amp=INFO)
    session = rigctl.open_session(REF, tmp_path)
    amp = session["eeg"]["amp"]
    assert session.reference == REF and list(session) == ["eeg"]
    assert isinstance(amp.samples, np.memmap)
    np.testing.assert_array_equal(amp.samples, frames["amp"])
    np.testing.assert_array_equal(amp.physical(2, 9), frames["amp"][2:9] * 0.5)
    assert [m for m in amp.markers if m.type in ("Stimulus", "Response")] == [*opening.MARKERS[:2]]
    assert [(gap.position, gap.filled, gap.missing) for gap in amp.gaps] == [
        (2 * opening.POINTS, opening.FILLED, 0),
        (opening.SECOND, 0, 7),
    ]
    assert [(one.start, one.stop) for one in amp.segments] == [
        (0, opening.SECOND),
        (opening.SECOND, opening.COUNT),
    ]
    kinds = {event.kind for event in session.events}
    assert "marker" in kinds and session.rig.event_log.problems == ()


def test_times_are_those_of_the_synchronised_clock(tmp_path: Path) -> None:
    """The reference's clock is 250 ms ahead, and gains 0.2 ms in ten seconds."""
    opening.make(tmp_path, amp=INFO)
    amp = rigctl.open_session(REF, tmp_path).stream("amp")
    rig_s = opening.taken_s(INFO)
    np.testing.assert_allclose(amp.rig_times[:], opening.BEGAN_UNIX_S + rig_s, rtol=0, atol=1e-6)
    truth = opening.BEGAN_UNIX_S + rig_s + 0.25 + rig_s * 20e-6
    np.testing.assert_allclose(amp.times[:], truth, rtol=0, atol=1e-6)
    assert amp.clock.bound_s == 0.0002
    assert amp.clock.reference == "desk"


def test_several_parts_are_one_stream(tmp_path: Path) -> None:
    session, frames = opening.make(tmp_path, split=True, amp=INFO)
    amp = rigctl.open_session(session.path).stream("amp")
    np.testing.assert_array_equal(amp.samples[:], frames["amp"])
    assert len(amp.times) == len(amp) == opening.COUNT
    assert [path.name for path in amp.part_headers()] == ["data.vhdr", "data_0002.vhdr"]


def test_a_recording_that_goes_on_is_opened_as_far_as_it_is(tmp_path: Path) -> None:
    session = opening.create(tmp_path)
    frames = making.frames(INFO, 80)
    with EventLog(session.path / EVENTS, "recorder") as events:
        with StreamWriter.create(session.path / "amp", INFO, name="amp", events=events) as writer:
            assert len(rigctl.open_session(REF, tmp_path).stream("amp").times) == 0
            opening.append(writer, frames, 0, 40)
            before = rigctl.open_session(REF, tmp_path)
            opening.append(writer, frames, 40, 80)
            after = rigctl.open_session(REF, tmp_path)
    np.testing.assert_array_equal(before.stream("amp").samples, frames[:40])
    np.testing.assert_array_equal(after.stream("amp").samples, frames)
    assert not before.rig.is_sealed


def test_what_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    opening.make(tmp_path, amp=INFO)
    opening.make(tmp_path, rig="camera", video=making.images(), amp=INFO)
    session = rigctl.open_session(making.REF, [tmp_path])
    with pytest.raises(NotRecorded, match="has no rig egg: there is camera, eeg; did you mean eeg"):
        session["egg"]
    with pytest.raises(NotRecorded, match="eeg has no stream amb.*did you mean amp"):
        session["eeg"]["amb"]
    with pytest.raises(NotRecorded, match="several rigs have a stream amp"):
        session.stream("amp")
    with pytest.raises(NotRecorded, match=r"several rigs \(camera, eeg\): say which"):
        _ = session.events
    with pytest.raises(SessionNotFound, match="looked in"):
        rigctl.open_session("2024-01-01_9_nobody", tmp_path)
    assert session.stream("video").name == "video"
    assert session.stream("amp", rig="eeg") is session["eeg"]["amp"]
    assert session.get("egg") is None and "egg" not in session
    assert session["eeg"].get("amb") is None


def test_a_damaged_stream_harms_no_other(tmp_path: Path) -> None:
    session, frames = opening.make(tmp_path, amp=INFO, other=INFO)
    (session.path / "other/stream.json").write_text("{")
    opened = rigctl.open_session(session.path)
    np.testing.assert_array_equal(opened.stream("amp").samples, frames["amp"])
    with pytest.raises(RecordingError, match=r"other/stream\.json"):
        opened.rig["other"]
    assert "cannot be read" in repr(opened)


def test_a_repr_tells_what_there_is(tmp_path: Path) -> None:
    opening.make(tmp_path, amp=INFO)
    text = repr(rigctl.open_session(REF, tmp_path))
    assert f"session {REF}" in text
    assert "<stream amp: 230 samples (0.2 s) of 2 channels at 1000 Hz, int16, 2 gaps" in text
    assert "2 comparisons with desk, within ±0.20 ms" in repr(
        rigctl.open_session(REF, tmp_path).clock
    )
