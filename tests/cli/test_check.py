"""``rigctl config check``: what was understood, or the one thing that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rigctl.cli.check import config
from rigctl.config.key import new_key, read_key
from tests.certificates import Authority

RIG = """\
name: eeg
listen: udp://127.0.0.1:11001
sources:
  amp: {device: rda, host: 127.0.0.1}
  test:
    device: simulated
    channels: 4
    ring: 30s
record: [amp]
"""
LAB = """\
lab: demo
timeouts: {echo: 0.5}
data_root: recordings
rigs:
  eeg: udp://127.0.0.1:11001
  video: {uri: "tcp://127.0.0.1:11002", required: false}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.yaml"


def check(file: Path, text: str, *options: str) -> Result:
    file.write_text(text)
    return CliRunner().invoke(config, ["check", str(file), *options])


def check_json(file: Path, text: str) -> Any:
    result = check(file, text, "--json")
    assert result.stderr == ""
    return json.loads(result.stdout) | {"code": result.exit_code}


def test_a_rig_is_told_with_the_defaults_of_its_devices(file: Path) -> None:
    result = check(file, RIG)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{file}: ok, the rig file of eeg\n")
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert rows["amp"].split()[:6] == ["amp", "rda", "yes", "yes", "60", "s"]
    assert "host: 127.0.0.1, port: 51244, stall_s: 5.0" in rows["amp"]
    assert rows["test"].split()[:6] == ["test", "simulated", "no", "yes", "30", "s"]


def test_a_rig_as_json(file: Path) -> None:
    found = check_json(file, RIG)
    assert (found["ok"], found["code"], found["kind"], found["name"]) == (True, 0, "rig", "eeg")
    assert (found["listen"], found["record"]) == ("udp://127.0.0.1:11001", ["amp"])
    assert found["sources"]["amp"]["settings"]["port"] == 51244
    assert found["sources"]["test"]["ring_s"] == 30.0


def test_a_lab_is_told_with_its_rigs_addresses(file: Path) -> None:
    result = check(file, LAB)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{file}: ok, the lab file of demo\n")
    assert f"sees recordings in {file.parent / 'recordings'}\n" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["eeg", "udp://127.0.0.1:11001", "yes", "auto", "0"] in lines
    assert ["video", "tcp://127.0.0.1:11002", "no", "auto", "0"] in lines


def test_a_lab_as_json(file: Path) -> None:
    found = check_json(file, LAB)
    assert (found["ok"], found["code"], found["kind"], found["lab"]) == (True, 0, "lab", "demo")
    assert found["timeouts"] == {"echo_s": 0.5, "reply_s": 10.0}
    assert found["rigs"]["video"] == {
        "uri": "tcp://127.0.0.1:11002",
        "required": False,
        "dialect": "auto",
        "retries": 0,
    }


def test_the_flat_form_is_a_lab(file: Path) -> None:
    found = check_json(file, "eeg: 10.0.0.5\nrecorder: {uri: 'udp://10.0.0.6', retries: 1}\n")
    assert (found["ok"], found["kind"]) == (True, "lab")
    assert found["rigs"]["recorder"]["retries"] == 1


@pytest.mark.parametrize(
    ("line", "instead", "problem"),
    [
        ("host: 127.0.0.1}", "hots: b}", ":4: sources.amp.hots: device 'rda' has no such key"),
        ("device: rda,", "device: rad,", ":4: sources.amp.device: there is no device 'rad'"),
        ("    channels: 4", "    channels: many", ":7: sources.test.channels: expected `int`"),
        ("    channels: 4", "    rate: 0", ":7: sources.test.rate: 0.0 is no rate"),
        ("    channels: 4", "    shape: [0, 1]", ":7: sources.test.shape.0: expected `int` >= 1"),
        ("record: [amp]", "record: [amb]", ":9: record.0: there is no source 'amb'"),
        ("record: [amp]", "recrd: [amp]", ":9: recrd: unknown key; did you mean 'record'?"),
        ("name: eeg", "nmae: eeg", "nmae: unknown key; did you mean 'name'?"),
        ("record: [amp]", "service: lab.py", ":9: service: write it as path.py:Class"),
        ("record: [amp]", "service: none.py:Lab", ":9: service: no file none.py"),
    ],
)
def test_what_is_wrong_with_a_rig_is_said_with_its_place(
    file: Path, line: str, instead: str, problem: str
) -> None:
    assert line in RIG
    result = check(file, RIG.replace(line, instead))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"rigctl: {file}:")
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rigs: {eeg: 'http://a'}\n", ":1: rigs.eeg: "),
        ("rigs: {}\nname: demo\n", ":2: name: unknown key"),
        ("rig: {eeg: 'udp://a'}\nlab: demo\n", ":1: rig: unknown key; did you mean 'rigs'?"),
        ("eeg: udp://127.0.0.1:99999\n", ":1: eeg: 'udp://127.0.0.1:99999': the port"),
        ("name: eeg\nlab: demo\n", "has as much of a lab file as of a rig file"),
        ("colour: blue\n", "is neither a lab file nor a rig file"),
        ("data_root: data\n", "is neither a lab file nor a rig file"),
        ("- a\n", "must hold `key: value` lines"),
        ("a: [\n", "is not YAML"),
    ],
)
def test_what_is_wrong_with_a_lab_or_neither_is_said(file: Path, text: str, problem: str) -> None:
    result = check(file, text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1
    found = check_json(file, text)
    assert (found["ok"], found["code"]) == (False, 2)
    assert found["error"] == result.stderr.removeprefix("rigctl: ").rstrip("\n")


def test_a_file_that_is_not_there_is_said() -> None:
    result = CliRunner().invoke(config, ["check", "none.yaml"])
    assert (result.exit_code, result.stderr) == (2, "rigctl: none.yaml: there is no such file\n")


def test_a_service_is_loaded_and_what_it_prints_stays_out_of_the_json(file: Path) -> None:
    (file.parent / "lab.py").write_text(
        "from rigctl.daemon import Service\nprint('loading')\nclass Lab(Service):\n    pass\n"
    )
    result = check(file, RIG + "service: lab.py:Lab\n", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["service"] == "lab.py:Lab"
    assert result.stderr == "loading\n"


def test_a_service_that_cannot_be_loaded_is_said(file: Path) -> None:
    (file.parent / "lab.py").write_text("import no_such_module\n")
    result = check(file, RIG + "service: lab.py:Lab\n")
    assert result.exit_code == 2
    assert f"{file}:10: service: " in result.stderr
    assert "no_such_module" in result.stderr


@pytest.mark.parametrize("name", ["lab", "rigs", "timeouts", "data_root"])
def test_a_rig_of_a_flat_lab_file_may_be_called_as_a_key_of_the_long_form(file, name) -> None:
    found = check_json(file, f"{name}: udp://127.0.0.1:11001\neeg: 127.0.0.2\n")
    assert (found["ok"], found["kind"]) == (True, "lab")
    assert {rig: entry["uri"] for rig, entry in found["rigs"].items()} == {
        name: "udp://127.0.0.1:11001",
        "eeg": "udp://127.0.0.2:11001",
    }


def test_a_wrong_address_in_such_a_file_is_told_as_one(file: Path) -> None:
    found = check_json(file, "lab: udp://127.0.0.1:0\n")
    assert found["code"] == 2
    assert "lab: 'udp://127.0.0.1:0': the port must lie" in found["error"]


def test_a_name_or_a_folder_is_no_rig(file: Path) -> None:
    found = check_json(file, "lab: demo\ndata_root: ../data\n")
    assert "rigs: this key is missing" in found["error"]


@pytest.mark.parametrize("text", [RIG, LAB])
def test_whether_there_is_a_key_is_told_and_never_the_key(file: Path, text: str) -> None:
    assert check_json(file, text)["has_key"] is False
    assert "has no key: messages are not authenticated\n" in check(file, text).stdout
    new_key(file.parent / "lab.key")
    text += "key_file: lab.key\n"
    assert check_json(file, text)["has_key"] is True
    assert "has a key: nothing is taken from who has it not\n" in check(file, text).stdout
    assert read_key(file.parent / "lab.key").hex() not in check(file, text, "--json").output


def test_a_files_name_is_no_rig_however_much_it_looks_like_an_address(file: Path) -> None:
    new_key(file.parent / "lab.key")
    found = check_json(file, "name: eeg\nkey_file: lab.key\nstate_dir: var.lib\n")
    assert (found["ok"], found["kind"]) == (True, "rig")


def test_certificates_are_told_and_looked_at(file: Path) -> None:
    authority = Authority(file.parent / "certificates")
    own = authority.sign("127.0.0.1")
    tls = f"tls: {{cert: {own.cert}, key: {own.key}, ca: {authority.file}}}\n"
    for text in (RIG.replace("udp://", "tls://"), LAB):
        found = check_json(file, text + tls)
        assert found["tls"] == {
            "cert": str(own.cert),
            "key": str(own.key),
            "ca": str(authority.file),
        }
        said = check(file, text + tls).stdout
        assert f"shows the certificate {own.cert}\n" in said
        assert f"trusts the certificates of {authority.file}\n" in said
        wrong = check_json(file, text + tls.replace(str(authority.file), str(own.key)))
        assert (wrong["code"], wrong["error"]) == (
            2,
            f"{own.key}: holds no certificate in PEM form",
        )


def test_when_and_in_what_order_a_lab_starts_and_stops_is_told(file: Path) -> None:
    found = check_json(file, LAB)
    keys = ("state_dir", "stop_last", "clock_limit_s", "go_after_s")
    assert [found[key] for key in keys] == [None, [], 0.05, 0.5]
    said = check(file, LAB).stdout
    assert "keeps its journal in the folder of state of its user\n" in said
    assert "starts and stops 0.5 s ahead\n" in said
    assert "warns of clocks that are more than 50 ms off\n" in said
    more = "state_dir: state\nstop_last: [video]\nclock_limit: 20ms\ngo_after: 2s\n"
    found = check_json(file, LAB + more)
    assert [found[key] for key in keys] == [str(file.parent / "state"), ["video"], 0.02, 2.0]
    said = check(file, LAB + more).stdout
    assert f"keeps its journal in {file.parent / 'state'}\n" in said
    assert "starts and stops 2 s ahead, stops video after all others\n" in said
    assert "warns of clocks that are more than 20 ms off\n" in said


def test_where_a_rig_keeps_its_journal_is_told_if_it_says_so(file: Path) -> None:
    assert check_json(file, RIG)["state_dir"] is None
    assert check_json(file, RIG + "state_dir: state\n")["state_dir"] == str(file.parent / "state")
    said = check(file, RIG + "state_dir: state\n").stdout
    assert f"keeps its journal in {file.parent / 'state'}\n" in said
