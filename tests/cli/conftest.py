"""What every command in these tests is kept from: the settings of whoever runs them."""

from pathlib import Path

import pytest

from rigctl.recording.manifest import seal
from rigctl.recording.session import Session
from tests.recording import making


@pytest.fixture(autouse=True)
def nothing_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RIGCTL_CONFIG", "RIGCTL_DATA", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-settings"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root where commands find it by themselves."""
    return tmp_path / "data"


@pytest.fixture
def eeg(root: Path) -> Session:
    """A sealed session of one signal in it."""
    session = making.make_session(root)
    making.record(session, making.signal("int16"))
    seal(session)
    return session
