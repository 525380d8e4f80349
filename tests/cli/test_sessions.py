"""``rigctl sessions``: what it says of sessions that are whole, damaged, or not there."""

import io
import json
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from click.testing import CliRunner, Result

from rigctl.cli.sessions import sessions
from rigctl.recording.session import ClockOffset, Episode, Session, Window
from rigctl.recording.stream_writer import StreamWriter
from tests.recording import making
from tests.system.programs import rigctl

REF = str(making.REF)


def run(*args: object) -> Result:
    return CliRunner().invoke(sessions, list(map(str, args)))


def run_json(*args: object, code: int = 0) -> Any:
    result = run(*args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def camera(root: Path) -> Session:
    """The same session's part on another rig, which still records images."""
    session = making.make_session(root, "camera")
    info = making.images()
    with StreamWriter.create(session.path / "amp", info, name="amp") as writer:
        writer.append(making.frames(info, 5), counter=0, arrival_s=0)
    return session


def damage(session: Session) -> None:
    data = bytearray((session.path / "amp/data.eeg").read_bytes())
    data[0] ^= 1
    (session.path / "amp/data.eeg").write_bytes(data)


def test_list_shows_every_rig_of_every_session(eeg: Session, camera: Session) -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0][:4] == ["reference", "rig", "started", "duration"]
    assert [(line[0], line[1], *line[-4:]) for line in lines[1:]] == [
        (REF, "camera", "amp", "5", "RUNNING", "no"),
        (REF, "eeg", "amp", "18", "RUNNING", "yes"),
    ]


def test_list_as_json_tells_where_it_looked_and_how_long_each_lasted(
    root: Path, eeg: Session
) -> None:
    found = run_json("list")
    assert found["data_roots"] == [str(root)]
    assert found["sessions"] == [
        {
            "ref": REF,
            "rig": "eeg",
            "path": str(eeg.path),
            "state": "RUNNING",
            "sealed": True,
            "start_unix_s": 1704112215.25,
            "started": "2024-01-01T12:30:15.250+00:00",
            "duration_s": 0.018,
            "samples": {"amp": 18},
        }
    ]


def test_list_counts_a_stream_that_changed_on_the_way_once(eeg: Session, root: Path) -> None:
    session = making.make_session(root, "two")
    for folder, rate_hz in (("amp", 1000), ("amp.2", 500)):
        info = making.signal(rate_hz=rate_hz)
        with StreamWriter.create(session.path / folder, info, name="amp") as writer:
            writer.append(making.frames(info, 100), counter=0, arrival_s=0)
    listed = {one["rig"]: one["duration_s"] for one in run_json("list")["sessions"]}
    assert listed == {"eeg": pytest.approx(0.018), "two": pytest.approx(0.3)}


def test_list_shows_what_is_damaged(eeg: Session) -> None:
    (eeg.path / "session.json").write_text("{")
    (eeg.path / "amp/stream.json").write_text("{")
    assert "DAMAGED" in run("list").stdout
    listed = run_json("list")["sessions"][0]
    assert (listed["state"], listed["started"], listed["duration_s"]) == ("DAMAGED", None, None)


def test_list_of_nothing_says_where_it_looked_and_is_no_error(tmp_path: Path) -> None:
    result = run("list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"no sessions in {tmp_path / 'data'}\n"
    assert run_json("list")["sessions"] == []


def test_show_tells_the_session_and_each_stream(eeg: Session) -> None:
    result = run("show", REF)
    assert result.exit_code == 0
    words = [line.split() for line in result.stdout.splitlines()]
    assert words[0] == [REF, "eeg"]
    assert ["state", "RUNNING,", "sealed"] in words
    assert ["host", "rig-1"] in words
    assert ["amp", "2", "1000", "Hz", "int16", "18", "0.0", "s", "1", "2"] in words
    assert any("data.eeg" in line and "72" in line for line in words)


def test_show_as_json_holds_the_record_and_the_facts_of_streams(eeg: Session) -> None:
    shown = run_json("show", REF)["sessions"]["eeg"]
    assert shown["session"]["reference"] == REF
    assert shown["session"]["config"] == eeg.record.config
    amp = shown["streams"]["amp"]
    assert (amp["channels"], amp["channel_names"], amp["rate_hz"]) == (2, ["Ch0", "Ch1"], 1000.0)
    assert (amp["samples"], amp["gaps"], amp["missing_samples"]) == (18, 1, 2)
    assert amp["files"]["data.eeg"] == 72
    assert shown["problems"] == []


def test_show_tells_window_episodes_and_note(root: Path) -> None:
    session = making.make_session(root)
    session.update(
        window=Window(start_unix_s=0.0),
        episodes=(Episode(condition="STALLED", source="amp", since_unix_s=0, detail="silence"),),
        conditions=("STALLED",),
        note="a note",
    )
    text = run("show", session.path).stdout
    for part in ("to the end", "STALLED amp", ": silence", "a note"):
        assert part in text


def test_show_tells_the_first_and_the_last_of_many_clock_samples(root: Path) -> None:
    session = making.make_session(root)
    offsets = (
        ClockOffset(unix_s=at, reference=f"desk{at}", offset_s=0.1, bound_s=0.01) for at in range(9)
    )
    session.update(clock_offsets=tuple(offsets))
    text = run("show", session.path).stdout
    assert [f"desk{at}" in text for at in range(9)] == [True, *[False] * 7, True]


def test_what_show_says_of_opening_opens_the_samples(eeg: Session, camera: Session) -> None:
    shown = run_json("show", REF)["sessions"]
    lines = {rig: facts["streams"]["amp"]["open"] for rig, facts in shown.items()}
    (raw,) = (_evaluated(line) for line in lines["eeg"])
    assert raw.ch_names == ["Ch0", "Ch1"]
    assert raw.n_times == 18
    (images,) = (_evaluated(line) for line in lines["camera"])
    assert np.array_equal(images, making.frames(making.images(), 5))


def _evaluated(line: str) -> Any:
    return eval(line, {"mne": mne, "np": np})


def test_show_tells_what_can_be_read_beside_what_cannot(eeg: Session) -> None:
    (eeg.path / "session.json").write_text("{")
    (eeg.path / "amp/stream.json").write_text("{")
    result = run("show", eeg.path)
    assert result.exit_code == 1
    assert result.stdout.count("PROBLEM") == 2
    assert run_json("show", eeg.path, code=1)["sessions"]["eeg"]["state"] == "DAMAGED"


def test_an_intact_session_verifies_with_all_its_rigs(eeg: Session, camera: Session) -> None:
    result = run("verify", REF)
    assert result.exit_code == 0
    assert f"eeg: intact, RUNNING, sealed: {eeg.path}" in result.stdout
    assert f"camera: intact, RUNNING, not sealed: {camera.path}" in result.stdout
    assert ["eeg", "amp", "18", "2", "1", "0", "ok"] in map(str.split, result.stdout.splitlines())


@pytest.mark.parametrize("full", [(), ("--full",)])
def test_verify_as_json_has_the_promised_shape(eeg: Session, full: tuple[str, ...]) -> None:
    verified = run_json("verify", REF, *full)
    assert verified["ok"] is True
    report = verified["sessions"]["eeg"]
    assert (report["path"], report["ok"], report["sealed"]) == (str(eeg.path), True, True)
    assert report["problems"] == []
    assert report["streams"] == {
        "amp": {"samples": 18, "missing_samples": 2, "gaps": 1, "bad_chunks": 0, "ok": True}
    }


def test_one_damaged_rig_makes_the_session_not_intact(eeg: Session, camera: Session) -> None:
    damage(eeg)
    result = run("verify", REF)
    assert result.exit_code == 1
    assert f"eeg: NOT INTACT, RUNNING, sealed: {eeg.path}" in result.stdout
    assert "  amp/data.eeg: 1 blocks do not match their checksum" in result.stdout
    verified = run_json("verify", REF, code=1)
    assert verified["ok"] is False
    assert {rig: report["ok"] for rig, report in verified["sessions"].items()} == {
        "eeg": False,
        "camera": True,
    }
    assert verified["sessions"]["eeg"]["streams"]["amp"]["bad_chunks"] == 1


def test_a_session_without_a_stream_is_shown_in_the_table(root: Path) -> None:
    session = Session.create(root, making.REF, "eeg", making.header())
    session.update(streams={})
    result = run("verify", REF)
    assert ["eeg", "-", "-", "-", "-", "-", "ok"] in map(str.split, result.stdout.splitlines())


def test_a_folder_that_cannot_be_read_hides_no_other_rig(
    eeg: Session, camera: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir

    def refusing(path: Path) -> Any:
        if path == camera.path:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    verified = run_json("verify", REF, code=1)["sessions"]
    assert verified["eeg"]["ok"]
    assert "Permission denied" in verified["camera"]["problems"][0]


@pytest.mark.parametrize("target", [".", "..", "../eeg"])
def test_a_path_means_a_rig_or_a_session_wherever_one_stands(
    eeg: Session, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(eeg.path)
    assert list(run_json("verify", target)["sessions"]) == ["eeg"]


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_session_that_is_not_there_is_a_usage_error_that_says_where_it_looked(
    command: str, root: Path
) -> None:
    result = run(command, REF)
    assert (result.exit_code, result.stdout) == (2, "")
    looked = root / "subject/2024-01-01/001"
    assert result.stderr == f"rigctl: no session {REF}: looked in {looked}\n"
    assert run(command, "nonsense").exit_code == 2


def test_the_same_rig_in_two_data_roots_is_checked_twice(eeg: Session, tmp_path: Path) -> None:
    other = making.make_session(tmp_path / "copy")
    making.record(other, making.signal("int16"))
    roots = ("--data", tmp_path / "data", "--data", tmp_path / "copy")
    assert set(run_json("verify", REF, *roots)["sessions"]) == {str(eeg.path), str(other.path)}
    damage(other)
    assert run_json("verify", REF, *roots, code=1)["ok"] is False


def test_output_on_a_pipe_is_plain_and_unfolded(tmp_path: Path, eeg: Session) -> None:
    deep = tmp_path / ("x" * 120)
    (tmp_path / "data").rename(deep)
    done = rigctl("sessions", "show", REF, "--data", deep)
    assert done.returncode == 0, done.stderr
    assert f"  folder      {deep / 'subject/2024-01-01/001/eeg'}\n" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_no_progress_is_shown_where_nobody_looks(eeg: Session) -> None:
    assert run("verify", REF, "--full").stderr == ""


def test_a_reader_that_stops_reading_is_no_error(
    eeg: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    result = CliRunner()
    with result.isolation():
        monkeypatch.setattr("sys.stdout", Closed())
        with pytest.raises(SystemExit) as ended:
            sessions.main(["list"], standalone_mode=False)
    assert ended.value.code == 0
