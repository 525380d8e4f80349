"""Where sessions are looked for: what was said goes before what is found."""

import os
from pathlib import Path

import pytest

from rigctl.cli.roots import Places, data_roots
from rigctl.errors import ConfigError


def write_lab(path: Path, data_root: str | None) -> Path:
    line = f"data_root: {data_root}\n" if data_root else ""
    path.write_text(f"{line}rigs: {{eeg: 'udp://127.0.0.1:11001'}}\n")
    return path


def test_the_current_folder_s_data_is_the_last_resort(tmp_path: Path) -> None:
    assert data_roots(Places()) == [tmp_path / "data"]


def test_a_lab_file_s_data_root_is_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    lab = write_lab(tmp_path / "lab/lab.yaml", "recordings")
    assert data_roots(Places(lab_file=str(lab))) == [tmp_path / "lab/recordings"]


def test_a_lab_file_is_found_without_being_given(tmp_path: Path) -> None:
    write_lab(tmp_path / "rigctl.yaml", "/recordings")
    assert data_roots(Places()) == [Path("/recordings")]


def test_a_lab_file_that_sees_no_recordings_leaves_the_default(tmp_path: Path) -> None:
    write_lab(tmp_path / "rigctl.yaml", None)
    assert data_roots(Places()) == [tmp_path / "data"]


def test_a_lab_file_that_is_gone_is_no_error_unless_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGCTL_CONFIG", "gone.yaml")
    assert data_roots(Places()) == [tmp_path / "data"]
    with pytest.raises(ConfigError, match="gone.yaml: there is no such file"):
        data_roots(Places(lab_file="gone.yaml"))


def test_a_lab_file_that_is_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "rigctl.yaml").write_text("rigs: 3\n")
    with pytest.raises(ConfigError, match="rigctl.yaml:1"):
        data_roots(Places())


def test_the_environment_goes_before_the_lab_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lab(tmp_path / "rigctl.yaml", "/recordings")
    monkeypatch.setenv("RIGCTL_DATA", os.pathsep.join(["/a", "", "b"]))
    assert data_roots(Places()) == [Path("/a"), tmp_path / "b"]


def test_what_is_given_goes_before_all_and_is_taken_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGCTL_DATA", "/a")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    given = Places(("real", "link", "other", "./real"))
    assert data_roots(given) == [tmp_path / "real", tmp_path / "other"]
