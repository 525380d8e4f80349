"""What is cut off lies beside the file, whole, once, and overwrites nothing."""

import os
from pathlib import Path

import pytest

from rigctl.errors import RecordingError
from rigctl.recording import aside
from tests.recording.making import Crash, crash_at, tree


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.eeg"
    path.write_bytes(b"goodtorn")
    return path


def cut(path: Path, keep: int = 4) -> bool:
    return aside.cut(path, keep, aside.target_of(path))


def test_what_is_cut_off_lies_beside(file: Path) -> None:
    assert cut(file)
    assert tree(file.parent) == {"data.eeg": b"good", "data.torn": b"torn"}


@pytest.mark.parametrize("keep", [8, 9])
def test_a_file_without_a_torn_end_stays_as_it_is(file: Path, keep: int) -> None:
    assert not cut(file, keep)
    assert tree(file.parent) == {"data.eeg": b"goodtorn"}


def test_nothing_that_lies_beside_is_overwritten(file: Path) -> None:
    for _ in range(3):
        file.write_bytes(b"good" + os.urandom(4))
        cut(file)
    found = tree(file.parent)
    assert list(found) == ["data.eeg", "data.torn", "data.torn-2", "data.torn-3"]
    assert len(set(found.values())) == 4


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("data.eeg", "data.torn"),
        ("data_0002.bin", "data_0002.torn"),
        ("data.idx", "data.idx.torn"),
        ("data.vmrk", "data.vmrk.torn"),
        ("events.jsonl", "events.jsonl.torn"),
    ],
)
def test_every_file_has_a_place_for_its_torn_end(name: str, target: str) -> None:
    assert aside.target_of(Path(name)).name == target


def test_a_large_end_is_moved_in_pieces(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rigctl.recording.aside._CHUNK", 7)
    end = bytes(range(100))
    file.write_bytes(b"good" + end)
    cut(file)
    assert tree(file.parent) == {"data.eeg": b"good", "data.torn": end}


def test_a_crash_at_any_step_costs_nothing_and_is_made_good(tmp_path: Path) -> None:
    step, crashed = 0, True
    while crashed:
        file = tmp_path / str(step) / "data.eeg"
        file.parent.mkdir()
        file.write_bytes(b"goodtorn")
        (file.parent / "data.torn").write_bytes(b"older")
        try:
            with crash_at(step):
                cut(file)
            crashed = False
        except Crash:
            found = tree(file.parent)
            assert found["data.eeg"] == b"goodtorn" or found["data.torn-2"] == b"torn"
        cut(file)
        expected = {"data.eeg": b"good", "data.torn": b"older", "data.torn-2": b"torn"}
        assert tree(file.parent) == expected
        step += 1
    assert step > 6


def test_every_step_is_on_disk_before_the_next(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("write", "fsync", "rename", "ftruncate"):
        call = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, name=name, call=call: (done.append(name), call(*args))[1]
        )
    cut(file)
    assert done == ["write", "fsync", "rename", "fsync", "ftruncate", "fsync"]


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_full_disk_changes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(RecordingError, match=r"data\.eeg: No space left .* MB free"):
            cut(file)
    assert tree(file.parent) == {"data.eeg": b"goodtorn"}
    assert cut(file)


def test_bytes_are_saved_once(tmp_path: Path) -> None:
    for data in (b"one", b"one", b"two", b"six", b"six"):
        aside.save(data, tmp_path / "x.torn")
    assert tree(tmp_path) == {"x.torn": b"one", "x.torn-2": b"two", "x.torn-3": b"six"}


def test_a_folder_is_renamed_and_numbered(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / "amp").mkdir()
        aside.move_folder(tmp_path / "amp")
    assert [path.name for path in aside.moved_aside(tmp_path)] == ["amp.torn", "amp.torn-2"]
