"""Sessions that a crash left open: found, put in order, and sealed like any other."""

import os
import shutil
from pathlib import Path

import mne
import msgspec
import numpy as np
import pytest

from rigctl.blocks import Marker
from rigctl.errors import RecordingError, SessionNotFound
from rigctl.messages import ExpRef
from rigctl.recording import layout
from rigctl.recording.checked import encode_document
from rigctl.recording.durable import read_document
from rigctl.recording.events import EventLog, read_events
from rigctl.recording.manifest import seal
from rigctl.recording.markers import logged_markers
from rigctl.recording.reader import open_stream
from rigctl.recording.recover import Recovery, StreamRecovery, find_unsealed, recover
from rigctl.recording.session import Episode, Session, SessionRecord
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import verify
from tests.recording import making
from tests.recording.making import Crash, crash_at, tree


@pytest.fixture
def whole(tmp_path: Path) -> Session:
    """A session that ended in order, but was not sealed."""
    session = making.make_session(tmp_path)
    making.record(session, making.signal("int16"))
    return session


@pytest.fixture
def torn(whole: Session) -> Path:
    """One with every kind of tear."""
    StreamWriter.create(whole.path / "late", making.signal(), name="late").close()
    (whole.path / "late/data.vmrk").unlink()
    for name, tail in (
        ("amp/data.eeg", b"samples"),
        ("amp/data.idx", bytes(100)),
        ("amp/data.vmrk", b"Mk5=Stimulus,S  1,1"),
        ("events.jsonl", b'{"writer":"recorder","seq'),
    ):
        with (whole.path / name).open("ab") as file:
            file.write(tail)
    return whole.path


def without_times(path: Path) -> dict[str, object]:
    """Return what a session's folder holds, but for when it was recovered."""
    record = read_document(path / layout.SESSION, SessionRecord)
    episodes = [msgspec.structs.replace(e, since_unix_s=0, until_unix_s=0) for e in record.episodes]
    record = msgspec.structs.replace(record, episodes=tuple(episodes))
    return {**tree(path), layout.SESSION: record}


def sealed_ok(path: Path) -> None:
    seal(Session.open(path))
    report = verify(path, full=True)
    assert (report.problems, report.ok, report.sealed) == ([], True, True)
    assert report.state == "RECOVERED"


def test_all_that_is_torn_is_moved_aside_and_told(torn: Path) -> None:
    recovery = recover(torn)
    late = sum(path.stat().st_size for path in (torn / "late.torn").iterdir())
    assert recovery == Recovery(
        path=str(torn),
        streams={
            "amp": StreamRecovery(18, 7 + 100 + 19),
            "late.torn": StreamRecovery(0, late),
        },
        events_torn_bytes=25,
        changed=True,
    )
    assert (torn / "amp/data.torn").read_bytes() == b"samples"
    assert (torn / "amp/data.idx.torn").read_bytes() == bytes(100)
    assert (torn / "amp/data.vmrk.torn").read_bytes() == b"Mk5=Stimulus,S  1,1"
    assert (torn / "events.jsonl.torn").read_bytes() == b'{"writer":"recorder","seq'
    record = Session.open(torn).record
    assert record.state == "RECOVERED"
    assert {episode.source: episode.detail for episode in record.episodes} == {
        "amp": "18 samples kept, 126 bytes moved aside (*.torn)",
        "late.torn": "never finished, the folder is moved aside",
        "events.jsonl": "all whole lines kept, 25 bytes moved aside (*.torn)",
    }
    assert verify(torn).problems == []
    sealed_ok(torn)


def test_a_recovered_session_is_read_by_mne(torn: Path) -> None:
    recover(torn)
    raw = mne.io.read_raw_brainvision(torn / "amp/data.vhdr", preload=True, verbose="error")
    samples = open_stream(torn / "amp").samples
    np.testing.assert_allclose(raw.get_data() * 1e6, samples.T * 0.5, rtol=1e-12)
    assert "Stimulus/S  1" in raw.annotations.description


def test_an_intact_session_only_changes_its_state(whole: Session) -> None:
    before = tree(whole.path)
    assert recover(whole.path).changed
    after = tree(whole.path)
    assert {name for name in after if after[name] != before.get(name)} == {layout.SESSION}
    sealed_ok(whole.path)


def test_a_second_run_changes_nothing(torn: Path) -> None:
    first = recover(torn)
    before = tree(torn)
    assert recover(torn) == msgspec.structs.replace(first, changed=False)
    assert tree(torn) == before


def test_a_session_that_was_recovered_may_be_torn_again(torn: Path) -> None:
    recover(torn)
    with (torn / "amp/data.eeg").open("ab") as file:
        file.write(b"more")
    assert recover(torn).streams["amp"] == StreamRecovery(18, 130)
    assert (torn / "amp/data.torn").read_bytes() == b"samples"
    assert (torn / "amp/data.torn-2").read_bytes() == b"more"
    sealed_ok(torn)


def test_a_crash_at_any_step_ends_in_the_same(torn: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    shutil.copytree(torn, path)
    recovery, expected = recover(path), without_times(path)
    step, crashed = 0, True
    while crashed:
        shutil.rmtree(path)
        shutil.copytree(torn, path)
        crashed = False
        for _ in range(2):
            try:
                with crash_at(step):
                    recover(path)
            except Crash:
                crashed = True
        recover(path)
        assert without_times(path) == expected
        assert msgspec.structs.replace(recover(path), changed=True) == recovery
        step += 1
    assert step > 30
    sealed_ok(path)


def test_a_sealed_session_is_left_as_it_is(whole: Session) -> None:
    seal(whole)
    with (whole.path / "amp/data.eeg").open("ab") as file:
        file.write(b"damage")
    before = tree(whole.path)
    assert recover(whole.path) == Recovery(path=str(whole.path))
    assert tree(whole.path) == before


def test_a_seal_that_was_killed_at_any_step_is_made_good(torn: Path, tmp_path: Path) -> None:
    recover(torn)
    path, step, crashed = tmp_path / "copy", 0, True
    while crashed:
        shutil.copytree(torn, path)
        try:
            with crash_at(step):
                seal(Session.open(path))
            crashed = False
        except Crash:
            if not (path / layout.MANIFEST).exists():
                assert not verify(path).sealed
                recover(path)
                assert not Session.open(path).record.sealed
                sealed_ok(path)
        assert verify(path).ok
        shutil.rmtree(path)
        step += 1
    assert step > 10


def test_every_torn_end_of_the_events(
    whole: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    events = (whole.path / layout.EVENTS).read_bytes()
    last = events.rindex(b"\n", 0, -1) + 1
    tails = [events[last:end] for end in range(last, len(events))]
    tails += [bytes(10), b"\n", b"\r\n\xff", events[last:-1] + b" \n"]
    path = tmp_path / "copy"
    for tail in tails:
        shutil.copytree(whole.path, path)
        (path / layout.EVENTS).write_bytes(events[:last] + tail)
        assert recover(path).events_torn_bytes == len(tail)
        assert (path / layout.EVENTS).read_bytes() == events[:last]
        assert read_events(path / layout.EVENTS).problems == ()
        assert bool(tail) == (path / "events.jsonl.torn").exists()
        assert verify(path).problems == []
        shutil.rmtree(path)


def test_a_damaged_event_before_good_ones_stays_and_is_reported(whole: Session) -> None:
    path = whole.path / layout.EVENTS
    damaged = path.read_bytes().replace(b'"S  1"', b'"S  2"')
    path.write_bytes(damaged)
    assert recover(whole.path).events_torn_bytes == 0
    assert path.read_bytes() == damaged
    assert not verify(whole.path).ok


def test_markers_beyond_the_end_stay_in_the_events_only(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    info = making.signal()
    with EventLog(session.path / layout.EVENTS) as events:
        folder = session.path / "amp"
        with StreamWriter.create(folder, info, name="amp", events=events) as writer:
            writer.append(making.frames(info, 10), counter=0, arrival_s=0)
            writer.append(making.frames(info, 10), counter=1, arrival_s=0)
            writer.mark(*(Marker(at, "Stimulus", f"S {at}") for at in (5, 10, 11, 19)))
    with (session.path / "amp/data.vmrk").open("a") as file:
        file.write("Mk5=Response,only here,13,1,0\nMk6=Response,and here,3,1,0\n")
    os.truncate(session.path / "amp/data.eeg", 15 * info.frame_bytes)
    recover(session.path)
    expected = [(2, "and here"), (5, "S 5"), (10, "S 10")]
    for _ in range(2):
        read = open_stream(session.path / "amp")
        assert [(marker.position, marker.description) for marker in read.markers] == expected
        if not session.is_sealed:
            sealed_ok(session.path)
    logged = logged_markers(read_events(session.path / layout.EVENTS).events, "amp")
    assert [marker.position for marker in logged] == [5, 10, 11, 19]
    aside = (session.path / "amp/data.vmrk.torn").read_text()
    assert aside == "Mk5=Response,only here,13,1,0\n"


def test_markers_that_only_the_events_have_come_into_the_marker_file(whole: Session) -> None:
    vmrk = whole.path / "amp/data.vmrk"
    before = vmrk.read_bytes()
    vmrk.write_bytes(before[: before.index(b"Mk2=")])
    recover(whole.path)
    assert vmrk.read_bytes().count(b"\nMk") == before.count(b"\nMk")


def test_what_was_said_of_the_session_stays(whole: Session) -> None:
    stalled = Episode(condition="DEGRADED", source="amp", since_unix_s=1.0)
    whole.update(episodes=(stalled,), note="a note")
    recover(whole.path)
    record = Session.open(whole.path).record
    assert record.note == "a note"
    assert [episode.condition for episode in record.episodes] == ["DEGRADED", "RECOVERED"]
    assert record.episodes[0] == stalled


@pytest.mark.parametrize("damage", ["flipped", "half", "empty", "missing", "newer"])
def test_a_session_that_cannot_be_read_is_not_touched(torn: Path, damage: str) -> None:
    path = torn / layout.SESSION
    data = path.read_bytes()
    newer = msgspec.structs.replace(Session.open(torn).record, version=2)
    written = {
        "flipped": data.replace(b"RUNNING", b"RUNNINH"),
        "half": data[: len(data) // 2],
        "empty": b"",
        "newer": encode_document(newer),
    }
    path.unlink()
    if damage in written:
        path.write_bytes(written[damage])
    before = tree(torn)
    with pytest.raises(RecordingError, match=r"session\.json.* rename the folder to eeg\.aband"):
        recover(torn)
    assert tree(torn) == before


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SessionNotFound, match="no such folder"):
        recover(tmp_path / "none")


def test_a_full_disk_changes_nothing(torn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = tree(torn)
    with monkeypatch.context() as patch:
        patch.setattr("os.write", fail)
        with pytest.raises(RecordingError, match="No space left on device"):
            recover(torn)
    assert tree(torn) == before
    recover(torn)
    sealed_ok(torn)


def test_sessions_without_a_seal_are_found_oldest_first(tmp_path: Path) -> None:
    references = ("2024-01-02_1_subject", "2024-01-01_10_subject", "2024-01-01_2_other")
    paths = [making.make_session(tmp_path, ref=ExpRef.parse(ref)).path for ref in references]
    making.make_session(tmp_path, "video")
    making.make_session(tmp_path).set_aside("START failed")
    session = making.make_session(tmp_path)
    making.record(session, making.signal())
    seal(session)
    for name in ("a/2024-01-01/001/x/eeg", "2024-01-01/001/eeg", "a/2024-01-01/1/eeg", "eeg"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a/2024-01-01/002").mkdir()
    (tmp_path / "a/2024-01-01/002/eeg").touch()
    assert find_unsealed(tmp_path, "eeg") == [paths[2], paths[1], paths[0]]
    assert find_unsealed(tmp_path, "*") == []
    assert find_unsealed(tmp_path / "none", "eeg") == []


def test_a_session_that_was_killed_as_it_was_created_is_found(tmp_path: Path) -> None:
    (tmp_path / "subject/2024-01-01/001/eeg").mkdir(parents=True)
    assert [path.name for path in find_unsealed(tmp_path, "eeg")] == ["eeg"]
