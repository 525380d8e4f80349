"""The configurations that come with rigctl are right, down to their devices and services."""

from pathlib import Path

import pytest

from rigctl.config import load_lab, load_rig
from rigctl.config.document import Document
from rigctl.daemon.loader import load_service
from rigctl.devices.checks import check_sources

_ROOT = Path(__file__).parents[2]
_FILES = sorted((_ROOT / "configs").glob("**/*.yaml"))


def _is_rig(path: Path) -> bool:
    return "name" in Document.read(path).values


def test_there_are_some() -> None:
    assert any(map(_is_rig, _FILES))
    assert not all(map(_is_rig, _FILES))


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_it_loads(path: Path) -> None:
    if not _is_rig(path):
        load_lab(path)
        return
    rig = load_rig(path)
    check_sources(rig)
    assert load_service(rig).rig is rig
