"""Nothing is deleted that is not, all of it and unchanged, somewhere else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.copying import copy
from rigctl.recording.manifest import seal
from rigctl.recording.removal import remove
from rigctl.recording.session import Session, SessionStream
from rigctl.recording.verify import verify
from tests.recording import making


@pytest.fixture
def source(tmp_path: Path) -> Path:
    session = making.make_session(tmp_path / "data")
    making.record(session, making.signal("int16"), blocks=1)
    (session.path / layout.LOG).write_bytes(b"started\n")
    seal(session)
    return session.path


@pytest.fixture
def copied(source: Path, tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    return Path(copy(source, tmp_path / "archive").path)


def test_a_session_with_a_whole_copy_is_deleted_and_only_that(source: Path, copied: Path) -> None:
    before = making.tree(copied)
    steps: list[tuple[int, int]] = []
    remove(source, copied, lambda *step: steps.append(step))
    assert list(source.parent.iterdir()) == []
    assert making.tree(copied) == before
    assert verify(copied, full=True).ok
    assert steps[-1][0] == steps[-1][1] > 0


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def add(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"more")


REASONS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "samples damaged": (lambda s, c: flip(s / "amp/data.eeg"), "is not intact: amp/data.eeg"),
    "samples lost": (lambda s, c: (s / "amp/data.eeg").unlink(), "is not intact: amp/data.eeg"),
    "copy damaged": (lambda s, c: flip(c / "amp/data.eeg"), "archive.* is not intact"),
    "copy incomplete": (lambda s, c: (c / "events.jsonl").unlink(), "events.jsonl: is missing"),
    "copy without seal": (lambda s, c: (c / "manifest.json").unlink(), "No such file"),
    "another copy": (lambda s, c: add(c / "manifest.json"), "is not a copy of"),
    "something new": (lambda s, c: add(s / "notes.txt"), "not in the copy.*: notes.txt"),
    "an export": (lambda s, c: add(s / "derived/eeg.nwb"), "not in the copy.*: derived/eeg.nwb"),
    "a link": (lambda s, c: (s / "new").symlink_to(c), "not in the copy.*: new"),
    "the log went on": (
        lambda s, c: (s / layout.LOG).write_bytes(b"started\nsealed\n"),
        "log.jsonl has changed since",
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_anything_that_does_not_match_keeps_all(source: Path, copied: Path, reason: str) -> None:
    change, text = REASONS[reason]
    change(source, copied)
    before = making.tree(source)
    with pytest.raises(RecordingError, match=text):
        remove(source, copied)
    assert making.tree(source) == before


def test_every_flipped_file_at_either_end_keeps_all(source: Path, copied: Path) -> None:
    for end in (source, copied):
        for name, data in making.tree(end).items():
            if data is None:
                continue
            flip(end / name)
            with pytest.raises(RecordingError):
                remove(source, copied)
            (end / name).write_bytes(data)
    assert verify(source, full=True).ok


def test_a_session_is_no_copy_of_itself(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    for copied in (source, tmp_path / "link"):
        with pytest.raises(RecordingError, match="is not a copy of"):
            remove(source, copied)


def test_a_session_that_does_not_verify_is_kept_though_its_copy_is_the_same(
    tmp_path: Path,
) -> None:
    failing = making.header(amp=SessionStream(failure="the disk was full"))
    session = Session.create(tmp_path / "data", making.REF, "eeg", failing)
    making.record(session, making.signal())
    seal(session)
    (tmp_path / "archive").mkdir()
    copied = copy(session.path, tmp_path / "archive")
    assert copied.ok
    with pytest.raises(RecordingError, match="is not intact: .*the disk was full"):
        remove(session.path, Path(copied.path))
    assert session.path.exists()


def test_what_is_not_sealed_is_kept(tmp_path: Path) -> None:
    session = making.make_session(tmp_path / "data")
    making.record(session, making.signal())
    (tmp_path / "archive").mkdir()
    copied = copy(session.path, tmp_path / "archive", unsealed=True)
    with pytest.raises(RecordingError, match="is not sealed, and is never deleted"):
        remove(session.path, Path(copied.path))


def test_what_comes_while_it_is_deleted_stays(
    source: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def adding(old: Path, new: Path) -> None:
        rename(old, new)
        add(Path(new) / "notes.txt")

    rename = os.rename
    monkeypatch.setattr(os, "rename", adding)
    with pytest.raises(RecordingError, match="came meanwhile"):
        remove(source, copied)
    doomed = source.with_name("eeg.deleting")
    assert list(making.tree(doomed)) == ["notes.txt"]
    assert verify(copied, full=True).ok


def test_a_deletion_that_was_interrupted_is_told_and_costs_nothing(
    source: Path, copied: Path, tmp_path: Path
) -> None:
    with making.crash_at(3), pytest.raises(making.Crash):  # rename, fsync, one file
        remove(source, copied)
    doomed = source.with_name("eeg.deleting")
    assert doomed.exists() and not source.exists()
    assert verify(copied, full=True).ok
    with pytest.raises(RecordingError, match="its copy was whole, and it may be removed"):
        copy(doomed, tmp_path / "archive")
