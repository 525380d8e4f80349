"""A file that only grows: settled bytes stay, unsettled ones go, reserved space is given back."""

import hashlib
import os
from pathlib import Path

import pytest

from rigctl.errors import RecordingError
from rigctl.recording import append_file
from rigctl.recording.append_file import AppendFile, FileDigest

MB = 1 << 20


def append(file: AppendFile, data: bytes) -> None:
    file.write(data)
    file.settle(data)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "data")
    append(file, b"abc")
    file.hash_settled()
    append(file, b"def")
    assert file.digest is None
    file.write(b"not settled")
    file.hash_settled()
    file.revert()
    file.close()
    assert file.path.read_bytes() == b"abcdef"
    assert file.digest
    assert file.digest.size == 6
    assert file.digest.blake2b == hashlib.blake2b(b"abcdef", digest_size=32).hexdigest()


def test_a_failed_write_is_cut_off_and_the_next_one_follows_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = AppendFile(tmp_path / "data")
    append(file, b"abc")
    write, calls = os.write, []

    def fail_later(fd: int, data: memoryview) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(fd, data[:2])

    monkeypatch.setattr("os.write", fail_later)
    with pytest.raises(RecordingError, match=r"data: No space left on device \(.* MB free\)"):
        file.write(b"defg")
    monkeypatch.undo()
    assert file.path.read_bytes() == b"abc"
    append(file, b"xyz")
    file.close()
    assert file.path.read_bytes() == b"abcxyz"


def test_what_cannot_be_cut_off_ends_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = AppendFile(tmp_path / "data")

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.write", fail)
    monkeypatch.setattr("os.ftruncate", fail)
    with pytest.raises(RecordingError):
        file.write(b"abc")
    monkeypatch.undo()
    with pytest.raises(RecordingError, match="could not be cut off"):
        file.write(b"abc")
    file.close()


def test_a_flush_that_failed_once_is_never_called_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = AppendFile(tmp_path / "data")

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fdatasync", fail)
    with pytest.raises(RecordingError, match="Input/output error"):
        file.sync()
    monkeypatch.undo()
    with pytest.raises(RecordingError, match="an earlier flush to disk failed"):
        file.sync()
    file.close()


def test_space_is_reserved_ahead_unseen_and_given_back(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "data", ahead=4 * MB)
    if file.path.stat().st_blocks == 0:
        file.close()
        pytest.skip("this file system reserves nothing")
    assert file.path.stat().st_size == 0
    assert file.path.stat().st_blocks * 512 >= 4 * MB
    append(file, bytes(3 * MB))
    file.sync()
    assert file.path.stat().st_blocks * 512 >= 7 * MB
    assert file.path.stat().st_size == 3 * MB
    file.close()
    assert file.path.stat().st_blocks * 512 < 4 * MB


def test_a_file_that_another_program_cuts_off_is_told(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "data")
    append(file, b"abc")
    os.truncate(file.path, 1)
    with pytest.raises(RecordingError, match="cut off by another program"):
        file.hash_settled()
    file.close()


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(RecordingError, match="File exists"):
        AppendFile(tmp_path / "data")


def test_hashing_waits_while_much_is_not_durable_and_then_catches_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(append_file, "_WAITING_BYTES", 10)
    file = AppendFile(tmp_path / "data.eeg")
    for data in (b"first", b"0123456789"):
        file.write(data)
        file.settle(data)
        file.hash_settled()
    assert file.digest is None  # ten bytes and more are written, and not durable
    file.sync()
    file.hash_settled()
    expected = hashlib.blake2b(b"first0123456789", digest_size=32).hexdigest()
    assert file.digest == FileDigest(15, expected)
    file.close()
