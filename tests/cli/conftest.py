"""What every command in these tests is kept from: the settings of whoever runs them."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def nothing_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RIGCTL_CONFIG", "RIGCTL_DATA", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-settings"))
    monkeypatch.chdir(tmp_path)
