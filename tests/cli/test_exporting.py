"""``rigctl sessions export``: what it writes, what it refuses, and in which words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf
from click.testing import CliRunner, Result

from rigctl.cli.sessions import sessions
from rigctl.recording import extras
from rigctl.recording.session import Session
from tests.recording import making, opening
from tests.system.programs import rigctl

REF = str(making.REF)


def run(*args: object) -> Result:
    return CliRunner().invoke(sessions, ["export", *map(str, args)])


@pytest.fixture
def eeg(tmp_path: Path) -> Session:
    session, _ = opening.make(tmp_path / "data", amp=making.signal("int16"))
    return session


def damage(session: Session) -> None:
    data = bytearray((session.path / "amp/data.eeg").read_bytes())
    data[0] ^= 1
    (session.path / "amp/data.eeg").write_bytes(data)


def test_an_export_lies_in_derived_and_the_session_still_verifies(eeg: Session) -> None:
    done = rigctl("sessions", "export", REF, "--to", "xdf", "--json", "--data", eeg.path.parents[3])
    assert done.returncode == 0, done.stderr
    path = eeg.path / f"derived/{REF}_eeg.xdf"
    assert json.loads(done.stdout) == {
        "exports": [
            {"rig": "eeg", "to": "xdf", "streams": ["amp"], "already": [], "path": str(path)}
        ]
    }
    streams, _ = pyxdf.load_xdf(path)
    amp = next(one for one in streams if one["info"]["name"] == ["amp"])
    recorded = np.fromfile(eeg.path / "amp/data.eeg", "<i2").reshape(-1, 2)
    np.testing.assert_array_equal(amp["time_series"], recorded)
    assert CliRunner().invoke(sessions, ["verify", str(eeg.path), "--full"]).exit_code == 0


def test_a_second_one_needs_force(eeg: Session, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(eeg.path, "--to", "xdf", "--out", out).exit_code == 0
    again = run(eeg.path, "--to", "xdf", "--out", out)
    assert again.exit_code == 1
    assert again.stderr.startswith(f"rigctl: {out / f'{REF}_eeg.xdf'} is there already: --force")
    assert run(eeg.path, "--to", "xdf", "--out", out, "--force").exit_code == 0
    assert [path.name for path in out.iterdir()] == [f"{REF}_eeg.xdf"]


def test_what_is_brainvision_already_is_said(eeg: Session) -> None:
    result = run(eeg.path, "--to", "brainvision")
    assert result.exit_code == 0
    assert result.stdout == f"eeg: already BrainVision: {eeg.path / 'amp/data.vhdr'}\n"
    assert not (eeg.path / "derived").exists()


def test_what_is_not_intact_is_exported_only_unverified(eeg: Session) -> None:
    damage(eeg)
    refused = run(eeg.path, "--to", "xdf")
    assert refused.exit_code == 1
    assert "is not intact (amp" in refused.stderr and "--unverified" in refused.stderr
    assert not (eeg.path / "derived").exists()
    assert run(eeg.path, "--to", "xdf", "--unverified").exit_code == 0


def test_rigs_and_streams_are_chosen_by_name(eeg: Session) -> None:
    opening.make(eeg.path.parents[3], rig="camera", video=making.images())
    folder = eeg.path.parent
    assert run(folder, "--to", "xdf", "--rig", "eeg").exit_code == 0
    refused = run(folder, "--to", "xdf", "--rig", "camera")
    assert refused.exit_code == 1 and "video holds frames of uint8" in refused.stderr
    unknown = run(folder, "--to", "xdf", "--rig", "egg")
    assert "has no rig egg: there is camera, eeg" in unknown.stderr
    assert "has no stream amb" in run(eeg.path, "--to", "xdf", "--stream", "amb").stderr


def test_a_recording_that_goes_on_is_exported_as_far_as_it_is(tmp_path: Path) -> None:
    session = opening.create(tmp_path)
    opening.fill_stream(session, making.signal("int16"))
    result = run(session.path, "--to", "xdf", "--unverified")
    assert result.exit_code == 0, result.stderr


def test_a_missing_library_is_told_with_what_to_install(
    eeg: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras.importlib, "import_module", absent)
    result = run(eeg.path, "--to", "nwb")
    assert result.exit_code == 1
    assert "needs pynwb" in result.stderr and "pip install 'rigctl[nwb]'" in result.stderr
