"""Verification: what is intact is ok, and no flipped bit, cut, lost or added file stays unseen."""

import shutil
import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from rigctl.errors import SessionNotFound
from rigctl.recording import index, layout
from rigctl.recording.checked import encode_document
from rigctl.recording.durable import read_document
from rigctl.recording.manifest import Manifest, inventory, seal
from rigctl.recording.session import Session, SessionStream
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import StreamReport, verify
from tests.recording import making


@pytest.fixture
def open_session(tmp_path: Path) -> Session:
    session = making.make_session(tmp_path)
    making.record(session, making.signal("int16"), blocks=1)
    return session


@pytest.fixture
def sealed(open_session: Session) -> Session:
    seal(open_session)
    return open_session


def test_an_intact_session_is_ok_sealed_or_not(open_session: Session) -> None:
    report = verify(open_session.path)
    assert (report.ok, report.sealed, report.problems) == (True, False, [])
    seal(open_session)
    for full in (False, True):
        report = verify(open_session.path, full=full)
        assert (report.ok, report.sealed, report.problems) == (True, True, [])
    assert report.streams == {
        "amp": StreamReport(samples=10, missing_samples=2, gaps=1, bad_chunks=0, ok=True)
    }
    assert (report.ref, report.rig, report.state) == ("2024-01-01_1_subject", "eeg", "RUNNING")


def test_a_stream_that_is_being_written_is_ok(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    info = making.signal()
    with StreamWriter.create(session.path / "amp", info, name="amp") as writer:
        writer.append(making.frames(info, 5), counter=0, arrival_s=0)
        assert verify(session.path).ok


def test_every_flipped_bit_of_a_sealed_session_is_found(sealed: Session) -> None:
    unseen = []
    for name in [*inventory(sealed.path), layout.MANIFEST]:
        data = (sealed.path / name).read_bytes()
        # One bit of every byte; the tests of the checksums flip all eight.
        for position in range(len(data)):
            changed = bytearray(data)
            changed[position] ^= 1 << position % 8
            (sealed.path / name).write_bytes(changed)
            if verify(sealed.path).ok:
                unseen.append((name, position))
        (sealed.path / name).write_bytes(data)
    assert unseen == []
    assert verify(sealed.path).ok


@pytest.mark.parametrize("name", ["amp/data.eeg", "amp/data.idx"])
def test_every_flipped_bit_of_samples_and_index_is_found_without_a_seal(
    open_session: Session, name: str
) -> None:
    data = (open_session.path / name).read_bytes()
    for bit in range(0, len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        (open_session.path / name).write_bytes(changed)
        report = verify(open_session.path)
        assert not report.ok
        assert not report.streams["amp"].ok
        assert report.streams["amp"].bad_chunks >= 1


@pytest.mark.parametrize("name", ["amp/data.eeg", "amp/data.idx", "events.jsonl", "session.json"])
def test_every_truncation_of_a_sealed_session_is_found(sealed: Session, name: str) -> None:
    data = (sealed.path / name).read_bytes()
    for length in range(len(data)):
        (sealed.path / name).write_bytes(data[:length])
        assert not verify(sealed.path).ok


def test_every_truncation_of_the_samples_is_counted_without_a_seal(open_session: Session) -> None:
    path = open_session.path / "amp/data.eeg"
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        report = verify(open_session.path)
        assert report.streams["amp"].bad_chunks >= 1
        assert any(
            problem.startswith(f"amp/data.eeg: ends {len(data) - length} bytes before")
            for problem in report.problems
        )


def test_every_torn_end_is_told_without_a_seal(open_session: Session) -> None:
    for name, added in (("amp/data.eeg", 1), ("amp/data.eeg", 400), ("amp/data.idx", 63)):
        data = (open_session.path / name).read_bytes()
        (open_session.path / name).write_bytes(data + bytes(added))
        report = verify(open_session.path)
        assert not report.ok
        assert report.streams["amp"].samples == 10
        assert f"{added} bytes after" in report.problems[0]
        (open_session.path / name).write_bytes(data)


def test_every_missing_file_of_a_sealed_session_is_found(sealed: Session) -> None:
    for name in [*inventory(sealed.path), layout.MANIFEST]:
        data = (sealed.path / name).read_bytes()
        (sealed.path / name).unlink()
        report = verify(sealed.path)
        assert not report.ok
        assert any(problem.startswith(name) for problem in report.problems), name
        (sealed.path / name).write_bytes(data)


@pytest.mark.parametrize("name", ["amp/data.eeg2", "extra.txt", "amp/data_0002.eeg"])
def test_an_added_file_of_a_sealed_session_is_found(sealed: Session, name: str) -> None:
    (sealed.path / name).touch()
    assert f"{name}: is not in the manifest" in verify(sealed.path).problems


def test_samples_that_were_moved_aside_with_their_folder_are_hashed(open_session: Session) -> None:
    """No index is walked for them."""
    shutil.copytree(open_session.path / "amp", open_session.path / "amp.torn")
    seal(open_session)
    assert verify(open_session.path).ok
    data = open_session.path / "amp.torn/data.eeg"
    data.write_bytes(bytes([data.read_bytes()[0] ^ 1]) + data.read_bytes()[1:])
    assert verify(open_session.path).problems == [
        "amp.torn/data.eeg: was changed since it was sealed"
    ]


def test_documents_of_a_newer_version_are_not_taken_as_understood(sealed: Session) -> None:
    path = sealed.path / layout.MANIFEST
    newer = msgspec.structs.replace(read_document(path, Manifest), version=2)
    path.write_bytes(encode_document(newer))
    assert verify(sealed.path).problems == [
        "manifest.json: rigctl manifest 2 is not rigctl manifest 1; a newer rigctl may read it"
    ]
    path.unlink()
    record = msgspec.structs.replace(sealed.record, version=2, sealed=False)
    (sealed.path / layout.SESSION).write_bytes(encode_document(record))
    assert verify(sealed.path).problems == [
        "session.json: rigctl session 2 is not rigctl session 1; a newer rigctl may read it"
    ]


def test_the_log_may_grow_but_not_change(open_session: Session) -> None:
    log = open_session.path / layout.LOG
    log.write_bytes(b"started\n")
    seal(open_session)
    log.write_bytes(b"started\nsealed\n")
    assert verify(open_session.path).ok
    log.write_bytes(b"stopped\nsealed\n")
    assert verify(open_session.path).problems == ["log.jsonl: was changed since it was sealed"]
    log.write_bytes(b"start")
    assert verify(open_session.path).problems == ["log.jsonl: has 5 bytes, sealed were 8"]


def test_the_hash_finds_what_the_checksums_cannot(sealed: Session) -> None:
    """A record and its samples that are forged together pass the walk, not the manifest."""
    data = bytearray((sealed.path / "amp/data.eeg").read_bytes())
    data[-1] ^= 1
    (sealed.path / "amp/data.eeg").write_bytes(data)
    old = index.walk((sealed.path / "amp/data.idx").read_bytes(), 4).records[-1]
    record = index.Record(
        int(old["offset"]), int(old["first"]), int(old["count"]), zlib.crc32(data[-16:])
    )
    chain = (sealed.path / "amp/data.idx").read_bytes()
    entry, _ = index.encode(record, int.from_bytes(chain[-68:-64], "little"))
    (sealed.path / "amp/data.idx").write_bytes(chain[:-64] + entry)
    assert verify(sealed.path).problems == ["amp/data.idx: was changed since it was sealed"]
    assert (
        "amp/data.eeg: was changed since it was sealed" in verify(sealed.path, full=True).problems
    )


def test_a_header_that_does_not_agree_is_found_without_a_seal(open_session: Session) -> None:
    vhdr = open_session.path / "amp/data.vhdr"
    vhdr.write_text(vhdr.read_text("utf-8").replace("INT_16", "IEEE_FLOAT_32"), "utf-8")
    assert verify(open_session.path).problems == ["amp/data.vhdr: does not agree with stream.json"]


def test_a_damaged_description_is_found_without_a_seal(open_session: Session) -> None:
    path = open_session.path / "amp/stream.json"
    path.write_bytes(path.read_bytes().replace(b"int16", b"int32"))
    report = verify(open_session.path)
    assert not report.streams["amp"].ok
    assert "amp/stream.json: its checksum does not match" in report.problems[0]


def test_an_empty_required_stream_is_not_ok(tmp_path: Path) -> None:
    for number, required in enumerate((True, False)):
        session = Session.create(
            tmp_path,
            making.REF,
            f"rig{number}",
            making.header(amp=SessionStream(required=required)),
        )
        StreamWriter.create(session.path / "amp", making.signal(), name="amp").close()
        report = verify(session.path)
        assert report.ok is report.streams["amp"].ok is not required


def test_a_required_stream_without_a_folder_is_not_ok(tmp_path: Path) -> None:
    report = verify(making.make_session(tmp_path).path)
    assert report.problems == ["amp/: no samples were recorded"]
    assert not report.streams["amp"].ok


def test_a_stream_that_went_on_in_a_further_folder_is_ok(open_session: Session) -> None:
    info = making.signal("int16", channels=3)
    folder = layout.next_stream_folder(open_session.path, "amp")
    StreamWriter.create(folder, info, name="amp").close()
    report = verify(open_session.path)
    assert report.ok
    assert set(report.streams) == {"amp", "amp.2"}


def test_progress_ends_at_the_whole(sealed: Session) -> None:
    for full in (False, True):
        seen: list[tuple[int, int]] = []
        verify(sealed.path, full=full, progress=lambda *step, to=seen: to.append(step))
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        size = (sealed.path / "amp/data.eeg").stat().st_size
        assert seen[-1] == (size * (1 + full), size * (1 + full))


def test_images_are_verified_too(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    making.record(session, making.images())
    seal(session)
    assert verify(session.path, full=True).ok
    data = session.path / "amp/data.bin"
    pixels = np.frombuffer(data.read_bytes(), np.uint8).copy()
    pixels[100] ^= 4
    data.write_bytes(pixels.tobytes())
    assert verify(session.path).streams["amp"].bad_chunks == 1


def test_a_folder_without_a_session_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SessionNotFound):
        verify(tmp_path)
