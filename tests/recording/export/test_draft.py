"""An export is there as a whole or not at all."""

from pathlib import Path

import pytest

from rigctl.errors import RecordingError
from rigctl.recording.export.draft import whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "derived/a.nwb"
    with whole(target, force=False) as draft:
        draft.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert names(tmp_path / "derived") == ["a.nwb"]


def test_one_that_fails_leaves_nothing_but_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.zarr"
    target.mkdir()
    with pytest.raises(RecordingError, match="No space left"):
        with whole(target, force=True) as draft:
            draft.mkdir()
            raise OSError(28, "No space left on device")
    assert names(tmp_path) == ["a.zarr"]


def test_one_that_is_there_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    target = tmp_path / "a.zarr"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(RecordingError, match=r"a\.zarr is there already: --force replaces it"):
        with whole(target, force=False):
            pass
    with whole(target, force=True) as draft:
        draft.mkdir()
        (draft / "new").touch()
    assert names(target) == ["new"] and names(tmp_path) == ["a.zarr"]


def test_two_at_once_are_refused_and_what_a_kill_left_is_used_up(tmp_path: Path) -> None:
    target = tmp_path / "a.xdf"
    with whole(target, force=False) as draft:
        draft.touch()
        with pytest.raises(RecordingError, match="another export of the same"):
            with whole(target, force=False):
                pass
    left = tmp_path / ".b.xdf.new"
    (left / "b.xdf").mkdir(parents=True)
    (left / "half").touch()
    with whole(tmp_path / "b.xdf", force=False) as draft:
        assert names(left) == []
        draft.touch()
    assert names(tmp_path) == ["a.xdf", "b.xdf"]
