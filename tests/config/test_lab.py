"""Lab files in both forms: what they may say, and that every mistake is refused where it stands."""

from pathlib import Path

import pytest

from rigctl.address import Address
from rigctl.config import RigEntry, find_lab_file, load_lab
from rigctl.config.lab import Timeouts
from rigctl.config.tls import TlsFiles
from rigctl.errors import ConfigError
from tests.config.refusing import Refusals

LONG = """\
lab: demo
timeouts: {echo: 0.5, reply: 20}
data_root: ../data
rigs:
  eeg: udp://127.0.0.1:11001
  video: {uri: "tcp://10.0.0.5", required: false, dialect: iblutil, retries: 2}
"""
FLAT = """\
# as labs keep it in remote_devices.yaml
cameras: udp://10.0.0.4:11001
timeline: ws://10.0.0.6:11002
ephys: 10.0.0.7
"""


@pytest.fixture
def refusals(tmp_path: Path) -> Refusals:
    return Refusals(load_lab, tmp_path / "lab.yaml")


def _load(tmp_path: Path, text: str):
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    return load_lab(path)


def test_the_long_form(tmp_path: Path) -> None:
    lab = _load(tmp_path, LONG)
    assert (lab.name, lab.timeouts) == ("demo", Timeouts(0.5, 20.0))
    assert lab.data_root == tmp_path.parent / "data"
    video = Address("tcp", "10.0.0.5", 11001)
    assert lab.rigs == {
        "eeg": RigEntry("eeg", Address("udp", "127.0.0.1", 11001)),
        "video": RigEntry("video", video, required=False, dialect="iblutil", retries=2),
    }


def test_the_flat_form_that_labs_already_keep(tmp_path: Path) -> None:
    path = tmp_path / "remote_devices.yaml"
    path.write_text(FLAT)
    lab = load_lab(path)
    assert {name: str(rig.address) for name, rig in lab.rigs.items()} == {
        "cameras": "udp://10.0.0.4:11001",
        "timeline": "tcp://10.0.0.6:11002",
        "ephys": "udp://10.0.0.7:11001",
    }
    assert (lab.name, lab.timeouts, lab.data_root) == ("remote_devices", Timeouts(), None)


def test_the_order_of_the_rigs_is_that_of_the_file(tmp_path: Path) -> None:
    assert list(_load(tmp_path, "c: a1\na: a2\nb: a3\n").rigs) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("text", "line", "key", "problem"),
    [
        ("rigs: {}\n", 1, "rigs", "name one rig at least"),
        ("rigs: {a: b}\ngo_after: 61s\n", 2, "go_after", "60s at the most"),
        ("rigs: {a: b}\ngo_after: 2 min\n", 2, "go_after", "60s at the most"),
        ("rigs:\n  eeg: {uri: a, dialct: x}\n", 2, "rigs.eeg.dialct", "'dialect'?"),
        ("rigs:\n  eeg: {uri: a, dialect: x}\n", 2, "rigs.eeg.dialect", "auto, iblutil, rigctl"),
        ("rigs:\n  eeg: {required: true}\n", 2, "rigs.eeg.uri", "missing"),
        ("rigs:\n  eeg: {uri: 5}\n", 2, "rigs.eeg.uri", "expected text"),
        ("rigs:\n  eeg: {uri: a, retries: 11}\n", 2, "rigs.eeg.retries", "<= 10"),
        ("rigs:\n  eeg: {uri: a, retries: true}\n", 2, "rigs.eeg.retries", "a whole number"),
        ("rigs:\n  eeg:\n    uri: 'a b'\n", 3, "rigs.eeg.uri", "udp://host:port"),
        ("rigs:\n  eeg: a:0\n", 2, "rigs.eeg", "between 1 and 65535"),
        ("rigs:\n  eeg: a:70000\n", 2, "rigs.eeg", "between 1 and 65535"),
        ("rigs:\n  eeg: ftp://a\n", 2, "rigs.eeg", "use udp, tcp or tls"),
        ("rigs:\n  eeg:\n", 2, "rigs.eeg", "write its address"),
        ("rigs:\n  e g: a\n", 2, "rigs.e g", "letters, digits"),
        ("rigs: [a]\n", 1, "rigs", "keys with values"),
        ("rigs: {a: b}\nlab: 5\n", 2, "lab", "expected text"),
        ("rigs: {a: b}\ntimeouts: {ehco: 1}\n", 2, "timeouts.ehco", "did you mean 'echo'?"),
        ("rigs: {a: b}\ntimeouts:\n  echo: 0\n", 3, "timeouts.echo", "> 0"),
        ("rigs: {a: b}\ntimeouts:\n  echo: .nan\n", 3, "timeouts.echo", "> 0"),
        ("rigs: {a: b}\ntimeouts:\n  reply: .inf\n", 3, "timeouts.reply", "<= 3600"),
        ("rigs: {a: b}\ntimeouts:\n", 2, "timeouts", "keys with values"),
        ("rigs: {a: b}\ndata_root: ~nobody-here/x\n", 2, "data_root", "is no folder"),
        ("rigs: {a: b}\neeg: udp://c\n", 2, "eeg", "unknown key"),
        ("rigs:\n  a: x:1\n  b: x:2\n  c: X:1\n", 4, "rigs.c", "the address of 'a' already"),
        ("rigs:\n  a: udp://x\n  b: tcp://x:11001\n", 3, "rigs.b", "the address of 'a'"),
        ("eeg: udp://10.0.0.4\neeg: udp://10.0.0.5\n", 2, "eeg", "twice, first in line 1"),
        ("eeg: udp://10.0.0.4\nvideo: 5\n", 2, "video", "write its address"),
        ("eeg: udp://10.0.0.4\nvideo: udp://10.0.0.4:11001\n", 2, "video", "of 'eeg' already"),
        ("eeg: udp://10.0.0.4\non: udp://10.0.0.5\n", 2, "on", "quote it"),
        ("eeg: 'udp://10.0.0.4:x'\n", 1, "eeg", "the port"),
    ],
)
def test_a_mistake_is_refused_with_line_key_and_what_would_be_right(
    refusals: Refusals, text: str, line: int, key: str, problem: str
) -> None:
    refusals.check(text, line, key, problem)


def test_missing_rigs_are_told(refusals: Refusals) -> None:
    assert refusals.of("lab: demo\n").key == "rigs"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The places where a lab file is looked for; none is there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RIGCTL_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    return {"here": tmp_path / "rigctl.yaml", "user": tmp_path / "user/rigctl/rigctl.yaml"}


def test_the_lab_file_is_the_one_given_then_named_then_here_then_the_users(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"--config or \$RIGCTL_CONFIG; looked for rigctl\.yaml"):
        find_lab_file(None)
    places["user"].parent.mkdir(parents=True)
    places["user"].touch()
    assert find_lab_file(None) == places["user"]
    places["here"].touch()
    assert find_lab_file(None).resolve() == places["here"]
    monkeypatch.setenv("RIGCTL_CONFIG", "named.yaml")
    assert find_lab_file(None) == Path("named.yaml")
    assert find_lab_file("given.yaml") == Path("given.yaml")


def test_rigs_may_be_reached_over_tls(tmp_path: Path, refusals: Refusals) -> None:
    (tmp_path / "ca.pem").touch()
    lab = _load(tmp_path, "rigs: {eeg: 'tls://rig.lab:4000'}\ntls: {ca: ca.pem}\n")
    assert lab.rigs["eeg"].address == Address("tls", "rig.lab", 4000)
    assert lab.tls == TlsFiles(ca=tmp_path / "ca.pem")
    refusals.check("rigs: {a: b}\ntls: {ca: none}\n", 2, "tls.ca", "there is no file")
