"""``rigctl key new``: where the key is, and what is to be done with it."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rigctl.cli.key import key
from rigctl.config.key import read_key


def new(*args: str) -> Result:
    return CliRunner().invoke(key, ["new", *args])


def test_a_key_is_made_in_the_users_own_folder_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    done = new()
    place = tmp_path / "user/rigctl/key"
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"made {place}; only you can read it\n")
    assert f"\n    key_file: {place}\n" in done.stdout
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert read_key(place).hex() not in done.output


def test_a_key_is_made_where_one_says_and_said_as_json(tmp_path: Path) -> None:
    done = new("lab.key", "--json")
    place = tmp_path / "lab.key"
    assert json.loads(done.stdout) == {"ok": True, "key_file": str(place)}
    assert read_key(place)


def test_a_key_that_is_there_is_kept(tmp_path: Path) -> None:
    assert new("lab.key").exit_code == 0
    before = (tmp_path / "lab.key").read_bytes()
    done = new("lab.key", "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"rigctl: {tmp_path / 'lab.key'}: is there already")
    assert (tmp_path / "lab.key").read_bytes() == before


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = new("file/key")
    assert done.exit_code == 2
    assert done.stderr == f"rigctl: {tmp_path}/file/key: cannot be written: Not a directory\n"
