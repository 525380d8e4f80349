"""Streams that are cut, and streams that go on: what is kept is as it was, and all is intact."""

import subprocess
import sys
from pathlib import Path

import mne
import numpy as np
import pytest

from rigctl.blocks import BlockFlags, Marker, StreamInfo
from rigctl.errors import RecordingError
from rigctl.recording import brainvision, layout
from rigctl.recording.append_file import AppendFile
from rigctl.recording.events import EventLog, read_events
from rigctl.recording.manifest import file_digest, seal
from rigctl.recording.reader import Gap, open_stream
from rigctl.recording.recover import recover
from rigctl.recording.session import Session
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import verify
from tests.recording import making
from tests.recording.making import WHEN, frames

INFO = making.signal("int16")
POINTS = 4
EXPECTED = np.concatenate([frames(INFO, POINTS, number) for number in range(5)])


CUTTER = """
import os, signal, sys
from itertools import count
from pathlib import Path
from rigctl.recording.events import EventLog
from tests.recording import making, test_going_on

def die_at(step):
    steps = count()
    def dying(call):
        def run(*args):
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args)
        return run
    for name in ("write", "ftruncate", "fsync", "rename", "replace"):
        setattr(os, name, dying(getattr(os, name)))

for step in range(int(sys.argv[2])):
    if os.fork() == 0:
        session = making.make_session(Path(sys.argv[1]) / str(step))
        writer = test_going_on.record(session, EventLog(session.path / "events.jsonl", "recorder"))
        writer.sync()
        die_at(step)
        writer.end_at(10)
        os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
"""


def record(session: Session, events: EventLog | None, info: StreamInfo = INFO) -> StreamWriter:
    """Five blocks, a marker on each of their first samples; the writer is left open."""
    writer = StreamWriter.create(session.path / "amp", info, name="amp", events=events)
    writer.new_segment(WHEN)
    for number in range(5):
        writer.mark(Marker(writer.samples, "Stimulus", f"S{number:3}"))
        writer.append(frames(info, POINTS, number), counter=number, arrival_s=number)
    return writer


def stimuli(path: Path) -> list[int]:
    return [m.position for m in brainvision.read_markers(path) if m.type == "Stimulus"]


# --- cut


@pytest.mark.parametrize("samples", range(21))
def test_a_cut_leaves_what_lies_before_it(session: Session, events: EventLog, samples: int) -> None:
    with record(session, events) as writer:
        writer.sync()
        writer.end_at(samples)
        assert writer.samples == writer.durable_samples == samples
        assert writer.bytes == samples * INFO.frame_bytes
    stream = open_stream(writer.folder)
    np.testing.assert_array_equal(stream.samples, EXPECTED[:samples])
    assert stream.index["counter"].tolist() == list(range(-(-samples // POINTS)))
    kept = [position for position in range(0, 20, POINTS) if position < samples]
    assert stimuli(writer.folder / "data.vmrk") == kept
    report = verify(session.path)
    assert report.problems == ([] if samples else ["amp/: no samples were recorded"])
    for name, digest in writer.digests.items():
        assert digest == file_digest(session.path / name)


def test_a_cut_beyond_the_end_changes_nothing(session: Session) -> None:
    with record(session, None) as writer:
        before = making.tree(session.path)
        writer.end_at(21)
        assert making.tree(session.path) == before


def test_what_is_appended_after_a_cut_follows_on(session: Session, events: EventLog) -> None:
    with record(session, events) as writer:
        writer.end_at(10)
        writer.append(frames(INFO, 3, 77), counter=9, arrival_s=9)
        writer.mark(Marker(11, "Stimulus", "S 77"))
    stream = open_stream(writer.folder)
    np.testing.assert_array_equal(stream.samples[10:], frames(INFO, 3, 77))
    assert stimuli(writer.folder / "data.vmrk") == [0, 4, 8, 11]
    seal(session, writer.digests)
    assert verify(session.path, full=True).problems == []


def test_gaps_beyond_a_cut_are_not_counted_any_more(session: Session) -> None:
    with record(session, None) as writer:
        writer.fill(6, counter=5, arrival_s=5)
        writer.new_segment(WHEN, missing=30)
        writer.append(frames(INFO, 5), counter=40, arrival_s=40)
        assert (writer.gaps, writer.missing_samples) == (2, 36)
        writer.end_at(23)
        assert (writer.gaps, writer.missing_samples) == (1, 3)
        writer.end_at(20)
        assert (writer.gaps, writer.missing_samples) == (0, 0)


def test_a_kill_in_the_middle_of_a_cut_loses_at_most_the_block_that_is_cut(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CUTTER, str(tmp_path), "8"]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True)
    kept = []
    for step in range(8):
        path = tmp_path / str(step) / "subject/2024-01-01/001/eeg"
        recover(path)
        seal(Session.open(path))
        assert verify(path, full=True).problems == []
        samples = open_stream(path / "amp").samples
        np.testing.assert_array_equal(samples, EXPECTED[: len(samples)])
        kept.append(len(samples))
    assert kept[0] == 20
    assert kept[-1] == 10
    assert set(kept) == {8, 10, 20}


def test_a_file_that_is_cut_goes_back_to_an_earlier_hash(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "data")
    for number in range(10):
        piece = bytes([number]) * 100
        file.write(piece)
        file.settle(piece)
        file.hash_settled()
    file.cut(333)
    assert file.digest is None
    file.hash_settled()
    file.close()
    assert file.digest == file_digest(tmp_path / "data")


def test_a_cut_to_before_all_hashes_that_are_kept_leaves_no_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigctl.recording.append_file._KEPT_HASHES", 2)
    file = AppendFile(tmp_path / "data")
    for _ in range(10):
        file.write(bytes(100))
        file.settle(bytes(100))
        file.hash_settled()
    file.cut(50)
    file.hash_settled()
    assert file.digest is None
    file.close()


# --- go on


@pytest.mark.parametrize("info", [making.signal("int16"), making.signal(), making.images()])
def test_a_stream_that_is_opened_again_goes_on(session: Session, info: StreamInfo) -> None:
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        record(session, events, info).close()
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        with StreamWriter.reopen(session.path / "amp", events) as writer:
            assert writer.info == info
            assert writer.samples == writer.durable_samples == 20
            writer.new_segment(WHEN, lost=True, missing=7)
            writer.append(frames(info, 5, 50), counter=0, arrival_s=99)
            assert (writer.samples, writer.gaps, writer.missing_samples) == (25, 1, 7)
        assert writer.digests == {}
    stream = open_stream(writer.folder)
    np.testing.assert_array_equal(stream.samples[20:], frames(info, 5, 50))
    assert stream.gaps == [Gap(20, 0, 7)]
    assert stream.index["flags"].tolist() == [BlockFlags.START, 0, 0, 0, 0, BlockFlags.GAP_BEFORE]
    seal(session)
    assert verify(session.path, full=True).problems == []


def test_markers_go_on_with_their_numbers(session: Session) -> None:
    record(session, None).close()
    with StreamWriter.reopen(session.path / "amp") as writer:
        writer.new_segment(WHEN, missing=7)
        writer.append(frames(INFO, 5, 50), counter=0, arrival_s=99)
        writer.mark(Marker(22, "Stimulus", "S 50"))
    lines = (writer.folder / "data.vmrk").read_text().splitlines()
    numbers = [line.partition("=")[0] for line in lines if line.startswith("Mk")]
    assert numbers == [f"Mk{number}" for number in range(1, 10)]
    raw = mne.io.read_raw_brainvision(writer.folder / "data.vhdr", verbose="error")
    assert raw.n_times == 25
    assert raw.annotations.description.tolist()[-3:] == [
        "Comment/GAP 7",
        "New Segment/",
        "Stimulus/S 50",
    ]


def test_markers_of_lost_samples_do_not_come_to_stand_at_those_that_follow(
    session: Session,
) -> None:
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        writer = record(session, events)
        writer.mark(Marker(20, "Stimulus", "kept"), Marker(23, "Stimulus", "lost"))
        writer.close()
    recover(session.path)
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        with StreamWriter.reopen(session.path / "amp", events) as writer:
            writer.append(frames(INFO, 20), counter=0, arrival_s=99)
            writer.mark(Marker(25, "Stimulus", "new"))
    seal(Session.open(session.path))
    assert verify(session.path, full=True).problems == []
    assert stimuli(session.path / "amp/data.vmrk") == [0, 4, 8, 12, 16, 20, 25]


def test_of_two_segments_at_a_place_the_last_that_was_begun_stands(session: Session) -> None:
    """The first was killed before its first sample came."""
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        writer = record(session, events)
        writer.new_segment(WHEN)
        writer.close()
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        with StreamWriter.reopen(session.path / "amp", events) as writer:
            writer.new_segment(WHEN.replace(year=2030))
            writer.append(frames(INFO, 20), counter=0, arrival_s=99)
    seal(session)
    text = (session.path / "amp/data.vmrk").read_text()
    assert "New Segment,,21,1,0,2030" in text
    assert text.count("New Segment") == 2


def test_events_go_on_with_their_numbers(session: Session) -> None:
    path = session.path / layout.EVENTS
    for value in "ab":
        with EventLog(path, "recorder") as events:
            events.append("test", "test", value)
            events.append("test", "test", value)
    read = read_events(path)
    assert read.problems == ()
    assert [event.sequence for event in read.events] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["data.eeg", "data.idx"])
def test_a_stream_that_is_torn_is_not_gone_on_with(session: Session, name: str) -> None:
    record(session, None).close()
    with (session.path / "amp" / name).open("ab") as file:
        file.write(b"torn")
    before = making.tree(session.path)
    with pytest.raises(RecordingError, match="recover the session first"):
        StreamWriter.reopen(session.path / "amp")
    assert making.tree(session.path) == before
