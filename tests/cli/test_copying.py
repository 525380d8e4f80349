"""``rigctl sessions copy``: what it says and with which code it ends."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rigctl.cli import copying
from rigctl.cli.sessions import sessions
from rigctl.recording.manifest import seal
from rigctl.recording.session import Session
from tests.recording import making

REF = str(making.REF)
PLACE = "subject/2024-01-01/001"


def run(*args: object) -> Result:
    return CliRunner().invoke(sessions, ["copy", *map(str, args)])


def run_json(*args: object, code: int = 0) -> Any:
    result = run(*args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def camera(root: Path) -> Session:
    session = making.make_session(root, "camera")
    making.record(session, making.images())
    seal(session)
    return session


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


def test_all_rigs_of_a_session_are_copied_and_the_copy_verifies(
    eeg: Session, camera: Session, root: Path, there: Path
) -> None:
    result = run(REF, there)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "camera: copied and verified",
        "eeg: copied and verified",
    ]
    assert lines[1].endswith(f"{there}/{PLACE}/eeg")
    assert making.tree(there) == making.tree(root)
    verified = CliRunner().invoke(sessions, ["verify", REF, "--full", "--data", str(there)])
    assert verified.exit_code == 0, verified.output
    assert "is there already, verified" in run(REF, there).stdout


def test_only_the_rig_that_is_named_is_copied(eeg: Session, camera: Session, there: Path) -> None:
    assert list(run_json(REF, there, "--rig", "eeg")["sessions"]) == ["eeg"]
    assert [path.name for path in (there / PLACE).iterdir()] == ["eeg"]
    result = run(REF, there, "--rig", "probe")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no rig probe in this session: it has camera, eeg" in result.stderr


def test_a_rig_that_fails_keeps_no_other_from_being_copied(
    eeg: Session, camera: Session, there: Path
) -> None:
    (camera.path / "amp/data.bin").write_bytes(b"")
    found = run_json(REF, there, code=1)
    assert (found["ok"], found["sessions"]["eeg"]["ok"]) == (False, True)
    assert found["sessions"]["camera"]["problems"][0].startswith("amp/data.bin: has 0 bytes")
    result = run(REF, there)
    assert f"camera: NOT COPIED: {camera.path}\n  amp/data.bin: has 0 bytes" in result.stdout
    assert result.exit_code == 1


def test_json_tells_all_of_a_copy(eeg: Session, there: Path) -> None:
    (eeg.path / "derived").mkdir()
    (eeg.path / "derived/eeg.nwb").touch()
    found = run_json(eeg.path, there)["sessions"]["eeg"]
    assert found == {
        "source": str(eeg.path),
        "path": f"{there}/{PLACE}/eeg",
        "ok": True,
        "whole": True,
        "was_there": False,
        "sealed": True,
        "files": 8,
        "bytes": sum(len(t or b"") for t in making.tree(there / PLACE / "eeg").values()),
        "derived": 1,
        "deleted": False,
        "problems": [],
    }
    assert "derived/: 1 files left out: they can be made anew" in run(eeg.path, there).stdout


def test_nothing_is_deleted_unless_asked_and_then_what_was_copied(
    eeg: Session, camera: Session, root: Path, there: Path
) -> None:
    before = making.tree(root)
    assert run(REF, there).exit_code == 0
    assert making.tree(root) == before
    (camera.path / "notes.txt").write_text("kept")
    found = run_json(REF, there, "--delete", code=1)["sessions"]
    assert (found["eeg"]["deleted"], found["camera"]["deleted"]) == (True, False)
    assert "notes.txt" in found["camera"]["problems"][0]
    assert camera.path.exists() and not eeg.path.exists()
    (camera.path / "notes.txt").unlink()
    assert "deleted here" in run(REF, there, "--delete").stdout
    assert making.tree(there)[f"{PLACE}/camera/amp/data.bin"]
    assert run(REF, there).exit_code == 2  # there is no session any more


def test_why_nothing_was_deleted_is_told(eeg: Session, there: Path) -> None:
    (eeg.path / "derived").mkdir()
    (eeg.path / "derived/eeg.nwb").touch()
    result = run(REF, there, "--delete")
    assert result.exit_code == 1
    assert "copied and verified" in result.stdout
    assert "not deleted: " in result.stdout and "derived/eeg.nwb" in result.stdout
    assert eeg.path.exists()


def test_an_unsealed_session_is_copied_only_when_that_is_said(root: Path, there: Path) -> None:
    making.record(making.make_session(root), making.signal())
    result = run(REF, there)
    assert (result.exit_code, "say --unsealed" in result.stdout) == (1, True)
    result = run(REF, there, "--unsealed", "--delete")
    assert (result.exit_code, "not deleted: " in result.stdout) == (1, True)
    assert "is not sealed, and is never deleted" in result.stdout


def test_a_destination_that_is_not_there_is_not_made(eeg: Session, tmp_path: Path) -> None:
    result = run(REF, tmp_path / "unmounted")
    assert result.exit_code == 2
    assert not (tmp_path / "unmounted").exists()


def test_an_interrupt_says_that_it_can_go_on(
    eeg: Session, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(copying, "copy", interrupted)
        result = run(REF, there)
    assert result.exit_code == 130
    assert result.stderr == "rigctl: interrupted: say the same again, and it goes on where it was\n"
    assert run(REF, there).exit_code == 0


def test_control_c_in_a_terminal_leaves_what_goes_on(root: Path, there: Path) -> None:
    session = making.make_session(root)
    making.record(session, making.signal())
    with (session.path / "amp/film.mkv").open("wb") as film:
        film.truncate(4 << 30)  # a hole: it takes long to read, and no room
    (session.path / "amp/film.mkv.json").touch()
    command = [sys.executable, "-m", "rigctl", "sessions", "copy", REF, there, "--unsealed"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        seen = os.read(ours, 1000)  # the bar appears once it is under way
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # EIO: the process has ended
            while b"interrupted" not in seen:
                seen += os.read(ours, 1000)
    os.close(ours)
    assert b"interrupted" in seen, seen
    assert process.returncode == 130
    assert not (there / PLACE / "eeg").exists()
    with (session.path / "amp/film.mkv").open("r+b") as film:
        film.truncate(1000)
    assert run(REF, there, "--unsealed").exit_code == 0
