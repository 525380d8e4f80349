"""A whole session over ``tls://``, by real processes, and who is kept out of it."""

import json
import socket
from pathlib import Path

import pytest
import yaml

from rigctl.config.tls import TlsFiles
from rigctl.recording.verify import verify
from tests.certificates import Authority

from .programs import rigctl, started

REF = "2024-01-01_1_subject"
SIMULATED = {"device": "simulated", "channels": 4, "rate": 1000, "dtype": "int16"}


def named(files: TlsFiles) -> dict[str, str]:
    """Return what a file says under ``tls:``."""
    given = {"cert": files.cert, "key": files.key, "ca": files.ca}
    return {name: str(path) for name, path in given.items() if path}


def rig_file(folder: Path, files: TlsFiles) -> Path:
    path = folder / "eeg.yaml"
    facts = {"name": "eeg", "listen": "tls://127.0.0.1:0", "tls": named(files)}
    path.write_text(yaml.safe_dump(facts | {"sources": {"amp": SIMULATED}}))
    return path


def lab_file(folder: Path, name: str, port: int, files: TlsFiles | None) -> Path:
    path = folder / f"{name}.yaml"
    tls = {"tls": named(files)} if files else {}
    path.write_text(yaml.safe_dump({"rigs": {"eeg": f"tls://127.0.0.1:{port}"}} | tls))
    return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates")


def test_a_session_is_driven_and_recorded_over_tls(tmp_path: Path, authority: Authority) -> None:
    rig = rig_file(tmp_path, authority.trusting(authority.sign("127.0.0.1")))
    with started("serve", rig, "--json") as daemon:
        port = daemon.first_line()["port"]
        own = authority.trusting(authority.sign("controller"))
        lab = lab_file(tmp_path, "lab", port, own)
        assert rigctl("config", "check", lab).returncode == 0
        done = rigctl("run", REF, "--for", "0.5s", "--json", lab=lab)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)["rigs"]["eeg"]
        assert (found["uri"], found["dialect"]) == (f"tls://127.0.0.1:{port}", "rigctl")
        keep_out(tmp_path, authority, port)
        assert rigctl("status", lab=lab).returncode == 0
        assert daemon.end() == 0
    assert verify(tmp_path / "data/subject/2024-01-01/001/eeg").sealed


def keep_out(tmp_path: Path, authority: Authority, port: int) -> None:
    """Check that nobody without a certificate, without TLS or by UDP is let in."""
    bare = rigctl("init", lab=lab_file(tmp_path, "bare", port, authority.trusting()))
    assert bare.returncode == 3
    assert "it may want a certificate of ours (tls.cert and tls.key)" in bare.stderr
    strange = rigctl("init", lab=lab_file(tmp_path, "strange", port, None))
    assert strange.returncode == 3
    assert "its certificate is not trusted" in strange.stderr
    plain = tmp_path / "plain.yaml"
    plain.write_text(f"eeg: tcp://127.0.0.1:{port}\n")
    assert rigctl("init", lab=plain).returncode == 3
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", port))  # nobody else listens there


def test_the_daemon_says_that_it_listens_on_tls_alone(tmp_path: Path, authority: Authority) -> None:
    with started("serve", rig_file(tmp_path, authority.sign("127.0.0.1"))) as daemon:
        assert daemon.process.stdout
        assert daemon.process.stdout.readline().endswith(", TLS\n")


def test_a_wrong_certificate_is_told_before_anything_starts(
    tmp_path: Path, authority: Authority
) -> None:
    good, other = authority.sign("127.0.0.1"), authority.sign("127.0.0.1")
    rig = rig_file(tmp_path, TlsFiles(good.cert, other.key))
    for command in (("serve", rig), ("config", "check", rig)):
        done = rigctl(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"rigctl: {other.key}: is not the key of {good.cert}\n"


def test_a_port_that_is_taken_is_said(tmp_path: Path, authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        rig = rig_file(tmp_path, authority.sign("127.0.0.1"))
        rig.write_text(rig.read_text().replace(":0", f":{taken.getsockname()[1]}"))
        done = rigctl("serve", rig)
    assert done.returncode == 2
    assert "listen: cannot listen on tls://127.0.0.1" in done.stderr
