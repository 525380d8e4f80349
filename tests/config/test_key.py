"""Keys in files: made once, for their user alone, and read only where that is so."""

import stat
from pathlib import Path

import pytest

from rigctl.config import load_lab, load_rig
from rigctl.config.key import KEY_BYTES, new_key, read_key
from tests.config.refusing import Refusals


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep/folder/key"


def test_a_new_key_is_its_users_alone_and_reads_back(path: Path) -> None:
    new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(read_key(path)) == KEY_BYTES


def test_no_two_keys_are_the_same(tmp_path: Path) -> None:
    for name in ("a", "b"):
        new_key(tmp_path / name)
    assert read_key(tmp_path / "a") != read_key(tmp_path / "b")


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_what_is_there_is_never_overwritten(path: Path, what: str) -> None:
    path.parent.mkdir(parents=True)
    if what == "file":
        path.write_text("precious")
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(FileExistsError):
        new_key(path)
    assert what != "file" or path.read_text() == "precious"
    assert not (path.parent / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_can_get_at_is_refused(path: Path, mode: int) -> None:
    new_key(path)
    path.chmod(mode)
    with pytest.raises(ValueError, match=f"others can read the key {path}: chmod 600 it"):
        read_key(path)
    path.chmod(0o400)
    assert len(read_key(path)) == KEY_BYTES


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"ab" * 31, b"ab" * 33, b"AB" * 32, b"xy" * 32, b"\xff" * 64, b"ab" * 9000],
)
def test_a_file_without_a_key_is_refused(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} holds no key: make one with rigctl key new"):
        read_key(path)


def test_a_missing_key_a_folder_and_a_file_in_the_way_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match=f"there is no key in {path}: make one"):
        read_key(path)
    path.mkdir(parents=True)
    with pytest.raises(ValueError, match=f"the key {path} cannot be read: Is a directory"):
        read_key(path)
    (path / "file").touch()
    with pytest.raises(ValueError, match="cannot be read: Not a directory"):
        read_key(path / "file/key")


@pytest.mark.parametrize("load", [load_lab, load_rig])
def test_a_file_names_its_key_relative_to_itself(tmp_path: Path, load) -> None:
    new_key(tmp_path / "lab.key")
    file = tmp_path / "file.yaml"
    text = "name: a\n" if load is load_rig else "rigs: {a: b}\n"
    file.write_text(text)
    assert load(file).key is None
    file.write_text(text + "key_file: lab.key\n")
    found = load(file)
    assert found.key == read_key(tmp_path / "lab.key")
    assert repr(found.key) not in repr(found), "a log must not hold it"


def test_a_wrong_key_is_refused_where_it_is_named(tmp_path: Path) -> None:
    refusals = Refusals(load_rig, tmp_path / "rig.yaml")
    refusals.check("name: a\nkey_file: none\n", 2, "key_file", "rigctl key new")
    refusals.check("name: a\nkey_file: ''\n", 2, "key_file", "cannot be read: Is a directory")
    refusals.check("name: a\nkey_file: 5\n", 2, "key_file", "expected text")
    refusals = Refusals(load_lab, tmp_path / "lab.yaml")
    refusals.check("rigs: {a: b}\nkey_file: none\n", 2, "key_file", "rigctl key new")
