"""Recordings in several parts that are cut, go on, or were killed: what is kept is intact."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rigctl.blocks import Marker, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.errors import RecordingError
from rigctl.recording import index, layout
from rigctl.recording.events import EventLog
from rigctl.recording.manifest import file_digest, seal
from rigctl.recording.reader import open_stream
from rigctl.recording.recover import is_in_order, recover
from rigctl.recording.session import Session
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import verify
from tests.recording import making
from tests.recording.making import frames
from tests.recording.rolled import INFO, POINTS, ROLL, add, create, expected, names, record


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many sessions are put in order; what is synced, other tests see to."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("os.fdatasync", lambda _: None)


# --- cut and go on


@pytest.mark.parametrize("is_synced", [True, False])
def test_a_cut_takes_whole_parts_away(session: Session, events: EventLog, is_synced: bool) -> None:
    writer = record(session, events)
    for samples in (27, 24, 18, 16, 15, 9, 8, 1, 0):
        if is_synced:
            writer.sync()
        writer.end_at(samples)
        assert writer.samples == samples
        stream = open_stream(writer.folder)
        np.testing.assert_array_equal(stream.samples, expected(7)[:samples])
        last = max((samples - 1) // 8 + 1, 1)
        assert sorted(layout.part_files(writer.folder)) == list(range(1, last + 1))
        found = [m.position for m in stream.markers if m.type == "Stimulus"]
        assert found == [at for at in range(0, 28, 4) if at < samples]
        assert verify(session.path).problems == (
            [] if samples else ["amp/: no samples were recorded"]
        )
    for number in range(5):
        add(writer, number)
    writer.close()
    np.testing.assert_array_equal(open_stream(writer.folder).samples, expected(5))
    for name, digest in writer.digests.items():
        assert digest == file_digest(session.path / name)
    seal(session, writer.digests)
    assert verify(session.path, full=True).problems == []


@pytest.mark.parametrize("info", [making.signal("int16"), making.images()])
@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_a_recording_of_several_parts_goes_on(
    session: Session, events: EventLog, info: StreamInfo, blocks: int
) -> None:
    roll = Roll(10 * info.frame_bytes, 3600)
    with create(session, events, roll, info) as writer:
        for number in range(blocks):
            add(writer, number)
    with StreamWriter.reopen(writer.folder, events, roll) as writer:
        writer.mark(Marker(writer.samples, "Stimulus", "next"))
        for number in range(blocks, 7):
            add(writer, number)
        assert not blocks % 2 or "amp/data_0004.eeg" in writer.digests or not writer.digests
    stream = open_stream(writer.folder)
    np.testing.assert_array_equal(stream.samples, expected(7, info))
    assert stream.index["part"].tolist() == [1, 1, 2, 2, 3, 3, 4]
    assert [m.position for m in stream.markers if m.description == "next"] == [blocks * POINTS]
    seal(session, writer.digests)
    assert verify(session.path, full=True).problems == []


@pytest.mark.parametrize("left", ["data_0003.vhdr", "data_0003.eeg"])
def test_a_part_that_was_only_made_ready_is_not_gone_on_over(session: Session, left: str) -> None:
    writer = record(session, None, 3)
    writer.close()
    (writer.folder / left).write_bytes(b"")
    assert not is_in_order(session.path)
    with pytest.raises(RecordingError, match="recover the session first"):
        StreamWriter.reopen(writer.folder, roll=ROLL)
    assert recover(session.path).streams["amp"].torn_bytes == 0
    assert is_in_order(session.path)
    assert left not in names(writer)
    StreamWriter.reopen(writer.folder, roll=ROLL).close()


# --- kills

KILLED = """
import os, signal, sys
from itertools import count
from pathlib import Path
from rigctl.recording.events import EventLog
from tests.recording import making, rolled

os.fsync = os.fdatasync = lambda fd: None  # a kill loses nothing that was written

def die_at(step):
    steps = count()
    def dying(name, call):
        def run(*args):
            if next(steps) == step:
                if name == "write":
                    call(args[0], args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args)
        return run
    for name in ("open", "write", "ftruncate", "fsync", "fdatasync", "replace", "unlink"):
        setattr(os, name, dying(name, getattr(os, name)))

def run(path, what, step):
    session = making.make_session(path)
    events = EventLog(session.path / "events.jsonl", "recorder")
    writer = rolled.record(session, events, 4 if what == "cut" else 2)
    if what != "bare":
        writer.sync()
    die_at(step)
    if what == "cut":
        writer.end_at(6)
    else:
        rolled.add(writer, 2)
        writer.sync()
    os.kill(os.getpid(), signal.SIGKILL)

for step in range(int(sys.argv[3])):
    if os.fork() == 0:
        run(Path(sys.argv[1]) / str(step), sys.argv[2], step)
    os.wait()
"""


@pytest.mark.parametrize(("what", "steps", "kept"), [
    ("bare", 26, {8, 12}), ("ready", 16, {8, 12}), ("cut", 18, {4, 6, 16}),
])  # fmt: skip
@pytest.mark.usefixtures("fast")
def test_a_kill_at_any_step_of_a_roll_or_a_cut_is_put_in_order(
    tmp_path: Path, what: str, steps: int, kept: set[int]
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), what, str(steps)]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True)
    found = set()
    for step in range(steps):
        path = tmp_path / str(step) / "subject/2024-01-01/001/eeg"
        recover(path)
        assert is_in_order(path)
        samples = open_stream(path / "amp").samples
        np.testing.assert_array_equal(samples, expected(4)[: len(samples)])
        found.add(len(samples))
        parts = layout.part_files(path / "amp")
        assert len(parts) == max(-(-len(samples) // 8), 1)
        with EventLog(path / layout.EVENTS, "recorder") as events:
            with StreamWriter.reopen(path / "amp", events, ROLL) as writer:
                for number in range(3):
                    writer.append(frames(INFO, POINTS, number), counter=number, arrival_s=0)
        seal(Session.open(path), writer.digests)
        assert verify(path, full=True).problems == []
        np.testing.assert_array_equal(
            open_stream(path / "amp").samples, np.concatenate([samples, expected(3)])
        )
    assert found == kept


def test_a_part_of_which_nothing_is_good_leaves_its_samples_and_markers_aside(
    session: Session,
) -> None:
    record(session, None, 3).close()
    path = session.path / "amp/data.idx"
    path.write_bytes(path.read_bytes()[: -index.RECORD_BYTES])
    recovery = recover(session.path)
    assert recovery.streams["amp"].samples == 2 * POINTS
    torn = session.path / "amp/data_0002.torn"
    assert torn.read_bytes() == frames(INFO, POINTS, 2).tobytes()
    assert b"Stimulus,S  2" in (session.path / "amp/data_0002.vmrk.torn").read_bytes()
    assert sorted(layout.part_files(session.path / "amp")) == [1]
    before = making.tree(session.path)
    assert not recover(session.path).changed
    assert making.tree(session.path) == before
