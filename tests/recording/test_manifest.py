"""The seal: every file is listed as it stands, and it is the last thing that is written."""

from pathlib import Path

import pytest

from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.durable import read_document
from rigctl.recording.manifest import Manifest, StreamTotals, file_digest, inventory, seal
from rigctl.recording.session import Session
from tests.recording import making


def sealed(root: Path) -> Session:
    session = making.make_session(root)
    writer = making.record(session, making.signal())
    (session.path / layout.LOG).write_bytes(b"started\n")
    seal(session, writer.digests)
    return session


def test_a_manifest_lists_every_file_as_it_is(tmp_path: Path) -> None:
    session = sealed(tmp_path)
    manifest = read_document(session.path / layout.MANIFEST, Manifest)
    assert sorted(manifest.files) == inventory(session.path)
    assert sorted(manifest.files) == [
        "amp/data.eeg",
        "amp/data.idx",
        "amp/data.vhdr",
        "amp/data.vmrk",
        "amp/stream.json",
        "events.jsonl",
        "log.jsonl",
        "session.json",
    ]
    for name, digest in manifest.files.items():
        found = file_digest(session.path / name)
        assert (found.size, found.blake2b) == (digest.size, digest.blake2b)
        assert digest.grows == (name == layout.LOG)
    assert manifest.streams == {"amp": StreamTotals(18, 2, 1)}
    assert (manifest.reference, manifest.rig) == ("2024-01-01_1_subject", "eeg")


def test_the_samples_are_not_read_again_where_the_writer_knows_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = file_digest
    monkeypatch.setattr(
        "rigctl.recording.manifest.file_digest",
        lambda path: (read.append(path.name), original(path))[1],
    )
    sealed(tmp_path)
    assert not {"data.eeg", "data.idx"} & set(read)


def test_the_session_says_so_and_stays(tmp_path: Path) -> None:
    session = sealed(tmp_path)
    assert Session.open(session.path).record.sealed
    with pytest.raises(RecordingError, match="sealed already"):
        seal(session)


def test_a_seal_that_was_interrupted_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = making.make_session(tmp_path)
    making.record(session, making.signal())

    def fail(*_: object) -> None:
        raise RecordingError("power cut")

    monkeypatch.setattr("rigctl.recording.manifest.replace", fail)
    with pytest.raises(RecordingError):
        seal(session)
    monkeypatch.undo()
    assert not session.is_sealed
    seal(Session.open(session.path))
    assert session.is_sealed


def test_derived_files_may_come_and_go(tmp_path: Path) -> None:
    session = sealed(tmp_path)
    (session.path / "derived").mkdir()
    (session.path / "derived/export.nwb").touch()
    assert "derived/export.nwb" not in inventory(session.path)
