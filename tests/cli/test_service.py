"""``rigctl service install``: units are written, never enabled, and systemd accepts them."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rigctl.cli import service as command
from rigctl.cli.service import service
from rigctl.cli.units import WRITTEN
from tests.system.programs import environment

ROOT = Path(__file__).parents[2]
RIG = "name: eeg\nsources: {a: {device: simulated}}\ndata_root: data\n"
LAB = "rigs: {eeg: 'udp://127.0.0.1:11001'}\n"
US = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a user's and the system's units are; a rig and a lab beside them."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(command, "_SYSTEM_UNITS", tmp_path / "system")
    (tmp_path / "eeg.yaml").write_text(RIG)
    (tmp_path / "lab.yaml").write_text(LAB)
    return tmp_path


def install(*args: object) -> Result:
    return CliRunner().invoke(service, ["install", *map(str, args)])


def test_a_users_unit_is_written_and_what_is_next_is_said(folder: Path) -> None:
    done = install(folder / "eeg.yaml", "--user")
    unit = folder / "user/systemd/user/rigctl@eeg.service"
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"wrote {unit}\nnothing is enabled or started yet; go on with\n")
    assert "    systemctl --user daemon-reload\n" in done.stdout
    assert "    systemctl --user enable --now rigctl@eeg.service\n" in done.stdout
    assert f"note: make {folder}/data before you start it\n" in done.stdout
    assert "note: loginctl enable-linger" in done.stdout
    assert f" serve {folder}/eeg.yaml\n" in unit.read_text()
    assert unit.stat().st_mode & 0o777 == 0o644


def test_a_systems_unit_runs_as_who_owns_the_file(folder: Path) -> None:
    (folder / "data").mkdir()
    done = install(folder / "eeg.yaml", "--system", "--json")
    found = json.loads(done.stdout)
    unit = folder / "system/rigctl@eeg.service"
    assert (found["path"], found["user"], found["written"]) == (str(unit), US, True)
    assert found["next"] == ["systemctl daemon-reload", "systemctl enable --now rigctl@eeg.service"]
    assert unit.read_text() == found["text"]
    assert f"\nUser={US}\n" in found["text"]
    assert not [note for note in found["notes"] if "before you start it" in note]


def test_a_person_is_told_to_linger_and_keep_their_shared_memory(folder: Path, monkeypatch) -> None:
    for first, told in ((os.getuid(), True), (os.getuid() + 1, False)):
        monkeypatch.setattr(command, "_FIRST_PERSON", first)
        said = install(folder / "eeg.yaml", "--system").stdout
        assert (f"note: loginctl enable-linger {US}: else the shared memory" in said) is told


def test_a_lab_gets_the_controllers_unit(folder: Path) -> None:
    found = json.loads(install(folder / "lab.yaml", "--system", "--json").stdout)
    assert found["unit"] == "rigctl-controller.service"
    assert found["next"][1] == "systemctl enable rigctl-controller.service"
    assert f"\nEnvironment=RIGCTL_CONFIG={folder}/lab.yaml\n" in found["text"]


def test_a_dry_run_shows_the_unit_and_writes_nothing(folder: Path) -> None:
    done = install(folder / "eeg.yaml", "--user", "--dry-run")
    assert done.stdout.startswith(WRITTEN)
    assert not (folder / "user").exists()
    assert (
        json.loads(install(folder / "eeg.yaml", "--dry-run", "--json").stdout)["written"] is False
    )


def test_root_means_the_system_and_anybody_else_themselves(folder: Path, monkeypatch) -> None:
    for euid, place in ((0, folder / "system"), (1000, folder / "user/systemd/user")):
        monkeypatch.setattr(os, "geteuid", lambda euid=euid: euid)
        assert install(folder / "eeg.yaml").exit_code == 0
        assert (place / "rigctl@eeg.service").exists()


@pytest.mark.parametrize("what", ["theirs", "masked", "folder", "bytes"])
def test_a_unit_that_is_not_ours_is_left_alone(folder: Path, what: str) -> None:
    path = folder / "system/rigctl@eeg.service"
    path.parent.mkdir()
    if what == "masked":
        path.symlink_to("/dev/null")
    elif what == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"\xff" if what == "bytes" else b"[Service]\n")
    done = install(folder / "eeg.yaml", "--system")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"rigctl: {path}: ")
    assert done.stderr.count("\n") == 1
    assert what != "theirs" or path.read_text() == "[Service]\n"
    assert path.is_symlink() == (what == "masked")


def test_our_own_unit_is_written_anew(folder: Path) -> None:
    path = folder / "system/rigctl@eeg.service"
    path.parent.mkdir()
    path.write_text(f"{WRITTEN}, long ago\n")
    assert install(folder / "eeg.yaml", "--system").exit_code == 0
    assert "ExecStart=" in path.read_text()


def test_what_is_wrong_is_said_in_one_line(folder: Path) -> None:
    (folder / "system").write_text("a file in the way")
    done = install(folder / "eeg.yaml", "--system")
    assert done.exit_code == 2
    assert "rigctl@eeg.service: cannot be written: " in done.stderr
    (folder / "eeg.yaml").write_text("name: eeg\nsuorces: {}\n")
    assert "suorces: unknown key" in install(folder / "eeg.yaml").stderr
    assert "there is no such file" in install(folder / "none.yaml").stderr


def verify(unit: Path, *options: str) -> None:
    """Have systemd itself look at a unit; skipped where it is not installed."""
    program = shutil.which("systemd-analyze")
    if not program:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    (unit.parent / "run").mkdir(exist_ok=True)
    env = {**os.environ, "XDG_RUNTIME_DIR": str(unit.parent / "run")}
    line = [program, "verify", "--man=no", *options, str(unit)]
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=60)
    ours = [said for said in done.stderr.splitlines() if unit.name in said]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("mode", ["--user", "--system"])
@pytest.mark.parametrize("name", ["eeg", "lab"])
def test_systemd_accepts_what_is_installed(folder: Path, name: str, mode: str) -> None:
    file = folder / "odd name %i $HOME 'a' \"b\"" / f"{name}.yaml"
    file.parent.mkdir()
    file.write_text((folder / f"{name}.yaml").read_text())
    unit = Path(json.loads(install(file, mode, "--json").stdout)["path"])
    verify(unit, mode)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("Type=notify", "Tpye=notify"), ("ExecStart=", "ExecStart=/no/such"), ("=yes", "=perhaps")],
)
def test_systemd_does_refuse_what_is_wrong(folder: Path, right: str, wrong: str) -> None:
    unit = Path(json.loads(install(folder / "eeg.yaml", "--system", "--json").stdout)["path"])
    unit.write_text(unit.read_text().replace(right, wrong))
    with pytest.raises(AssertionError):
        verify(unit, "--system")


@pytest.mark.parametrize("name", ["rigctl@.service", "rigctl-controller.service"])
def test_systemd_accepts_the_templates_as_they_stand(tmp_path: Path, name: str) -> None:
    text = (ROOT / "services/systemd" / name).read_text()
    copy = tmp_path / name.replace("@", "@eeg")
    beside = Path(sys.executable).with_name("python")
    copy.write_text(text.replace("ExecStart=rigctl", f"ExecStart={beside}"))
    verify(copy, "--system")


def test_an_installed_rigctl_has_its_templates_with_it(folder: Path) -> None:
    source, target = folder / "source", folder / "installed"
    ignored = shutil.ignore_patterns(".*", "tests", "data", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
    made = subprocess.run([*pip, str(source)], capture_output=True, text=True, timeout=110)
    if "No matching distribution found for setuptools" in made.stderr:
        pytest.skip("pip cannot get setuptools here, so no package can be built")
    assert made.returncode == 0, made.stderr
    shutil.rmtree(source)
    shown = subprocess.run(
        [sys.executable, "-m", "rigctl", "service", "install", "eeg.yaml", "--dry-run"],
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
    )
    assert shown.stdout.startswith(WRITTEN), shown.stderr
    assert (target / "share/rigctl/systemd/rigctl@.service").exists()
