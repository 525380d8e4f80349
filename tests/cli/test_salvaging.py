"""``rigctl sessions salvage``: what it says and how it ends, whatever it is given."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rigctl.cli.sessions import sessions
from rigctl.errors import NotRecorded
from rigctl.recording.manifest import seal
from rigctl.recording.opened import open_session
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.recording import making
from tests.system.programs import rigctl

REF = str(making.REF)


def run(*args: object) -> Result:
    return CliRunner().invoke(sessions, ["salvage", *map(str, args)])


def run_json(*args: object, code: int) -> Any:
    result = run(*args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def killed(tmp_path: Path) -> Session:
    session = making.make_session(tmp_path / "data")
    making.record(session, making.signal("int16"))
    return session


@pytest.fixture
def damaged(killed: Session) -> Session:
    seal(killed)
    data = bytearray((killed.path / "amp/data.eeg").read_bytes())
    data[20] ^= 1
    (killed.path / "amp/data.eeg").write_bytes(data)
    return killed


def test_a_killed_session_is_salvaged_by_its_reference(killed: Session) -> None:
    result = run(REF)
    assert result.exit_code == 0
    target = killed.path.with_name("eeg.salvaged")
    assert f"eeg: salvaged, all of it; the new session is intact: {target}" in result.stdout
    assert verify(target).ok


def test_what_is_left_out_is_told_with_its_place(damaged: Session) -> None:
    result = run(damaged.path)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "rig"
    assert lines[1].split() == ["eeg", "amp", "18", "4", "1", "4", "16"]
    assert "eeg: salvaged, NOT ALL OF IT; the new session is intact:" in lines[2]
    assert lines[3:] == [
        "  amp/: 1 blocks left out",
        "  amp/: 4 samples lost",
        "  amp/: 16 bytes not understood",
        "  amp/: samples 4 to 7: filled",
    ]


def test_the_report_as_json(damaged: Session) -> None:
    found = run_json(REF, "--to", "other", code=1)
    report = found["sessions"]["eeg"]
    assert (found["ok"], report["ok"], report["complete"], report["verified"]) == (
        *(False, False, False, True),
    )
    assert report["target"] == str(Path("other/subject/2024-01-01/001/eeg").resolve())
    amp = report["streams"]["amp"]
    assert (amp["samples"], amp["blocks"], amp["blocks_left_out"]) == (18, 4, 1)
    assert amp["places"] == ["samples 4 to 7: filled"]
    assert (report["events"], report["events_left_out"]) == (4, 0)


def test_an_intact_session_needs_none(killed: Session) -> None:
    seal(killed)
    result = run(REF)
    assert result.exit_code == 0
    assert result.stdout == (
        f"eeg: intact and sealed, there is nothing to salvage: {killed.path}\n"
    )
    assert run_json(REF, code=0)["sessions"]["eeg"]["target"] is None


@pytest.mark.parametrize("gone", ["session.json", "manifest.json", "events.jsonl"])
def test_a_session_is_found_by_what_is_left_of_it(damaged: Session, gone: str) -> None:
    (damaged.path / gone).unlink()
    assert "eeg: salvaged" in run(REF).stdout


def test_an_existing_target_is_refused_in_one_sentence(damaged: Session) -> None:
    run(REF)
    result = run(REF)
    target = damaged.path.with_name("eeg.salvaged")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"rigctl: {target} is there already and is not overwritten: rename it, or salvage --to "
        "another folder\n"
    )
    assert run_json(REF, code=1)["sessions"]["eeg"]["ok"] is False


def test_one_rig_that_cannot_be_salvaged_does_not_keep_others(damaged: Session) -> None:
    shutil.copytree(damaged.path, damaged.path.with_name("camera"))
    damaged.path.with_name("eeg.salvaged").mkdir()
    result = run(REF)
    assert result.exit_code == 1
    assert "camera: salvaged" in result.stdout
    assert "eeg.salvaged is there already" in result.stderr


@pytest.mark.parametrize("target", ["nowhere", "2024-01-01_9_subject", "."])
def test_what_is_no_session_is_a_usage_error(tmp_path: Path, target: str) -> None:
    result = run(target)
    assert result.exit_code == 2
    assert result.stderr.startswith("rigctl: ") and result.stderr.count("\n") == 1


def test_nothing_to_salvage_is_said_in_one_sentence(killed: Session) -> None:
    for name in ("amp/data.eeg", "events.jsonl"):
        (killed.path / name).write_bytes(b"")
    result = run(REF)
    assert result.exit_code == 1
    assert "nothing in it is intact, so there is nothing to salvage" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_program_itself_salvages(damaged: Session) -> None:
    done = rigctl("sessions", "salvage", damaged.path)
    assert done.returncode == 1
    assert "NOT ALL OF IT" in done.stdout


def test_a_salvaged_session_is_told_apart_from_the_one_beside_it(damaged: Session) -> None:
    run(damaged.path)
    root = damaged.path.parents[3]
    listed = CliRunner().invoke(sessions, ["list", "--data", str(root)]).stdout.splitlines()
    assert [line.split()[1] for line in listed[1:]] == ["eeg", "eeg.salvaged"]
    with pytest.raises(NotRecorded, match=r"have a stream amp \(eeg, eeg.salvaged\)"):
        open_session(REF, root).stream("amp")


def test_rigs_of_the_same_name_in_two_roots_are_all_reported(
    damaged: Session, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "data", other)
    run(damaged.path)
    roots = ("--data", tmp_path / "data", "--data", other)
    told = run_json(REF, *roots, code=1)["sessions"]
    assert len(told) == 2 and "error" in told["eeg"]
