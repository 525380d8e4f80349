"""``rigctl chaos``: what it says and writes, what it leaves alone, and how it ends."""

import json
import re
import signal
import socket

import pytest
import yaml
from click.testing import CliRunner

from rigctl.cli.chaos import chaos
from tests.system.programs import started

DEADLINE_S = 30
MARK = "# Written by rigctl chaos, which may overwrite it.\n"


@pytest.fixture
def lab(tmp_path):
    path = tmp_path / "rigctl.yaml"
    path.write_text(yaml.safe_dump({"rigs": {"eeg": "udp://127.0.0.1:9"}, "data_root": "data"}))
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_as_soon_as_it_is_ready(lab, number):
    with started("chaos", "--json", "--seed", 7, lab=lab) as program:
        said = program.first_line()
        program.process.send_signal(number)
        out, err = program.process.communicate(timeout=DEADLINE_S)
    assert (program.process.returncode, err) == (0, "")
    assert (said["seed"], said["lab_file"]) == (7, "chaos.yaml")
    assert said["rigs"]["eeg"]["rig"] == "udp://127.0.0.1:9"
    counts = json.loads(out)["rigs"]["eeg"]
    assert counts.keys() == {"to_rig", "from_rig"}
    assert not any(counts["to_rig"].values())


def test_it_says_in_plain_words_what_it_does_and_then_what_it_did(lab):
    options = ("--loss", "100%", "--duplicate", 0, "--reorder", 0, "--seed", 7)
    with started("chaos", *options, lab=lab) as program:
        lines = [program.process.stdout.readline() for _ in range(3)]
        port = int(re.search(r"127\.0\.0\.1:(\d+) stands", lines[1])[1])
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.sendto(b"lost", ("127.0.0.1", port))
        program.process.send_signal(signal.SIGINT)
        out, err = program.process.communicate(timeout=DEADLINE_S)
    assert lines == [
        "of datagrams 100 % are lost (--seed 7 repeats it)\n",
        f"eeg: udp://127.0.0.1:{port} stands for udp://127.0.0.1:9\n",
        "rehearse with: rigctl run --config chaos.yaml EXP_REF --for 10s; ^C ends this\n",
    ]
    headings, to_rig, from_rig = out.splitlines()
    assert re.split(r"  +", headings)[2:5] == ["passed", "lost", "lost to partitions"]
    assert to_rig.split() == ["eeg", "to", "rig", "0", "1", "0", "0", "0", "0"]
    assert from_rig.split()[:3] == ["eeg", "from", "rig"]
    assert err == ""


def test_the_lab_file_leads_to_the_proxy_and_else_says_the_same(lab, tmp_path):
    with started("chaos", "--json", "--write", "there.yaml", lab=lab) as program:
        said = program.first_line()
        text = (tmp_path / "there.yaml").read_text()
    assert text.startswith(MARK)
    uri = said["rigs"]["eeg"]["uri"]
    data = str(tmp_path / "data")
    assert yaml.safe_load(text) == {"lab": "rigctl", "data_root": data, "rigs": {"eeg": uri}}


def test_its_own_lab_file_is_written_anew(lab, tmp_path):
    (tmp_path / "chaos.yaml").write_text(MARK + "rigs: {old: 10.0.0.1}\n")
    with started("chaos", "--json", lab=lab) as program:
        program.first_line()
        assert yaml.safe_load((tmp_path / "chaos.yaml").read_text())["rigs"].keys() == {"eeg"}


def refused(*options):
    result = CliRunner().invoke(chaos, [*map(str, options)])
    assert result.stdout == ""
    assert result.stderr.startswith("rigctl: ")
    assert result.stderr.count("\n") == 1
    return result.exit_code, result.stderr


def test_a_file_that_somebody_else_wrote_is_left_alone(lab, tmp_path):
    (tmp_path / "chaos.yaml").write_text("precious")
    code, said = refused()
    assert code == 2
    assert "chaos.yaml: --write: is there already and was not written by rigctl chaos" in said
    assert (tmp_path / "chaos.yaml").read_text() == "precious"
    code, said = refused("--write", lab)
    assert "--write: is there already" in said


def test_no_rehearsal_of_a_rehearsal(tmp_path):
    (tmp_path / "old.yaml").write_text(MARK + "rigs: {eeg: 10.0.0.1}\n")
    code, said = refused("--config", "old.yaml")
    assert code == 2
    assert "old.yaml: --config: it was written by rigctl chaos: give the lab's own file" in said


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--loss", "5"), "--loss: a percentage such as 5% is needed"),
        (("--partition", "2s"), "--partition: say how long"),
        (("--config", "none.yaml"), "none.yaml: there is no such file"),
        (("--write", "nowhere/chaos.yaml"), "--write: cannot be written: No such file"),
        (("--write", "."), "--write: cannot be written: Is a directory"),
    ],
)
def test_a_mistake_is_one_clear_sentence(lab, options, problem):
    code, said = refused(*options)
    assert code == 2
    assert problem in said


def test_a_rig_whose_host_is_not_known_is_out_of_reach(lab):
    lab.write_text("rigs: {eeg: rig.invalid}\n")
    code, said = refused()
    assert code == 3
    assert "eeg: there is no way to udp://rig.invalid:11001: " in said
