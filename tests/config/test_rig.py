"""Rig files: what they may say, and that every mistake is refused with file, line and key."""

from pathlib import Path

import pytest

from rigctl.address import Address
from rigctl.config import SourceEntry, load_rig
from rigctl.config.keeping import DiskLimits, Roll
from rigctl.config.key import new_key
from rigctl.config.tls import TlsFiles
from tests.config.refusing import Refusals

FULL = """\
name: eeg
listen: tcp://[::1]:4000
data_root: ../recordings
main_sync: true
service: services/eeg.py:EEG
sources:
  amp: {device: rda, host: 127.0.0.1, port: 51244, ring: 500 ms, required: false}
  test: {device: simulated, channels: 8}
record: [test]
flush: 250ms
roll: {size: 2GB, time: 30min}
pre_roll: 5s
disk: {floor: 2GB, reserve: 500 MB, duration: 2h}
hook_timeout: 2 min
"""


@pytest.fixture
def refusals(tmp_path: Path) -> Refusals:
    return Refusals(load_rig, tmp_path / "rig.yaml")


def _load(tmp_path: Path, text: str):
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    return load_rig(path)


def test_a_full_file(tmp_path: Path) -> None:
    rig = _load(tmp_path, FULL)
    assert (rig.name, rig.listen) == ("eeg", Address("tcp", "::1", 4000))
    assert rig.data_root == tmp_path.parent / "recordings"
    assert rig.main_sync
    assert rig.roll == Roll(2 * 10**9, 1800.0)
    assert rig.disk == DiskLimits(2 * 10**9, 5 * 10**8, 7200.0)
    assert rig.pre_roll_s == 5.0
    assert (rig.service, rig.record, rig.flush_s) == ("services/eeg.py:EEG", ("test",), 0.25)
    assert rig.hook_timeout_s == 120
    assert rig.sources == {
        "amp": SourceEntry("amp", "rda", {"host": "127.0.0.1", "port": 51244}, 0.5, required=False),
        "test": SourceEntry("test", "simulated", {"channels": 8}, 60.0, required=True),
    }


def test_defaults(tmp_path: Path) -> None:
    rig = _load(tmp_path, "name: eeg\nsources: {a: {device: x}, b: {device: y}}\n")
    assert rig.listen == Address("udp", "127.0.0.1", 11001)
    assert rig.data_root == tmp_path / "data"
    assert rig.record == ("a", "b")  # all, unless it says which
    assert not rig.main_sync


def test_recording_nothing_can_be_said(tmp_path: Path) -> None:
    assert _load(tmp_path, "name: a\nsources: {a: {device: x}}\nrecord: []\n").record == ()


def test_folders_may_lie_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert _load(tmp_path, "name: a\ndata_root: ~/d\n").data_root == tmp_path / "home/d"
    assert _load(tmp_path, f"name: a\ndata_root: {tmp_path}/x/../y\n").data_root == tmp_path / "y"


def test_port_0_takes_a_free_one(tmp_path: Path) -> None:
    assert _load(tmp_path, "name: a\nlisten: udp://127.0.0.1:0\n").listen.port == 0


def test_others_are_let_in_only_knowingly(tmp_path: Path, refusals: Refusals) -> None:
    refusals.check("name: a\nlisten: udp://0.0.0.0\n", 2, "listen", "allow_unauthenticated")
    text = "name: a\nlisten: udp://0.0.0.0\nallow_unauthenticated: true\n"
    assert _load(tmp_path, text).listen.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("text", "line", "key", "problem"),
    [
        ("nam: a\n", 1, "nam", "did you mean 'name'?"),
        ("name: a\nsuorces: {}\n", 2, "suorces", "did you mean 'sources'?"),
        ("name: a\nzzz: 1\n", 2, "zzz", "there are allow_unauthenticated, data_root"),
        ("name: 5\n", 1, "name", "expected text, got a whole number"),
        ("name: [a]\n", 1, "name", "expected text, got a list"),
        ("name: a b\n", 1, "name", "letters, digits"),
        ("name: ../a\n", 1, "name", "letters, digits"),
        ("name: -a\n", 1, "name", "beginning with"),
        (f"name: {'a' * 65}\n", 1, "name", "64 at most"),
        ("name: Derived\n", 1, "name", "every session"),
        ("name: a\nname: b\n", 2, "name", "twice"),
        ("name: a\nlisten: 11001\n", 2, "listen", "expected text"),
        ("name: a\nlisten: udp://127.0.0.1:65536\n", 2, "listen", "and 65535"),
        ("name: a\nlisten: udp://127.0.0.1:-1\n", 2, "listen", "and 65535"),
        ("name: a\nlisten: http://127.0.0.1\n", 2, "listen", "use udp, tcp or tls"),
        ("name: a\nlisten: udp://a b\n", 2, "listen", "udp://host:port"),
        ("name: a\nmain_sync: 1\n", 2, "main_sync", "expected true or false"),
        ("name: a\nflush: 0\n", 2, "flush", "500ms"),
        ("name: a\nroll: {size: 0}\n", 2, "roll.size", "16GB"),
        ("name: a\nroll: {time: 0}\n", 2, "roll.time", "500ms"),
        ("name: a\nroll: {sise: 1GB}\n", 2, "roll.sise", "size"),
        ("name: a\ndisk: {floor: 1 XB}\n", 2, "disk.floor", "16GB"),
        ("name: a\ndisk: {duration: 0}\n", 2, "disk.duration", "500ms"),
        ("name: a\npre_roll: -1s\n", 2, "pre_roll", "500ms"),
        ("name: a\nflush: .inf\n", 2, "flush", "500ms"),
        ("name: a\nflush: .nan\n", 2, "flush", "500ms"),
        ("name: a\nflush: true\n", 2, "flush", "a number or text"),
        (f"name: a\nflush: 1{'0' * 400}\n", 2, "flush", "out of range"),
        ("name: a\nhook_timeout: 0s\n", 2, "hook_timeout", "500ms"),
        ("name: a\ndata_root:\n", 2, "data_root", "expected text, got nothing"),
        ("name: a\ndata_root: ~nobody-here/x\n", 2, "data_root", "is no folder"),
        ('name: a\ndata_root: "a\\0b"\n', 2, "data_root", "is no folder"),
        ("name: a\nservice: eeg.py\n", 2, "service", "path.py:Class"),
        ("name: a\nservice: 'eeg.py:'\n", 2, "service", "path.py:Class"),
        ("name: a\nsources: [amp]\n", 2, "sources", "expected keys with values, got a list"),
        ("name: a\nsources:\n  amp: rda\n", 3, "sources.amp", "{device: simulated}"),
        ("name: a\nsources:\n  amp:\n", 3, "sources.amp", "{device: simulated}"),
        ("name: a\nsources:\n  amp:\n    port: 1\n", 3, "sources.amp.device", "is missing"),
        ("name: a\nsources:\n  amp:\n    device: 1\n", 4, "sources.amp.device", "expected text"),
        ("name: a\nsources:\n  derived: {device: x}\n", 3, "sources.derived", "every session"),
        ("name: a\nsources:\n  a.b: {device: x}\n", 3, "sources.a.b", "letters, digits"),
        ("name: a\nsources:\n  5: {device: x}\n", 3, "sources.5", "quote it"),
        ("name: a\nsources:\n  b:\n    device: x\n    ring: 5 m\n", 5, "sources.b.ring", "2min"),
        (
            "name: a\nsources:\n  b:\n    device: x\n    required: 'yes'\n",
            *(5, "sources.b.required", "expected true or false, got text"),
        ),
        ("name: a\nsources: {amp: {device: x}}\nrecord: [amb]\n", 3, "record.0", "'amp'?"),
        ("name: a\nsources: {b: {device: x}}\nrecord:\n- b\n- b\n", 5, "record.1", "twice"),
        ("name: a\nrecord: b\n", 2, "record", "expected a list"),
        ("name: a\nsources: {b: {device: x}}\nrecord: [b, 5]\n", 3, "record.1", "expected text"),
    ],
)
def test_a_mistake_is_refused_with_line_key_and_what_would_be_right(
    refusals: Refusals, text: str, line: int, key: str, problem: str
) -> None:
    refusals.check(text, line, key, problem)


def test_a_missing_name_is_told(refusals: Refusals) -> None:
    error = refusals.of("main_sync: true\n")
    assert (error.key, error.problem) == ("name", "this key is missing")


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A file that is there; what is in it is looked at when it is used."""
    for name in ("rig.pem", "rig.key", "ca.pem"):
        (tmp_path / name).touch(mode=0o600)
    return tmp_path


TLS = "name: a\nlisten: tls://127.0.0.1\ntls: {cert: rig.pem, key: rig.key}\n"


def test_certificates_lie_beside_the_file(tmp_path: Path, pem: Path) -> None:
    rig = _load(tmp_path, TLS.replace("key}", "key, ca: ca.pem}"))
    assert rig.listen == Address("tls", "127.0.0.1", 11001)
    assert rig.tls == TlsFiles(pem / "rig.pem", pem / "rig.key", pem / "ca.pem")


def test_who_listens_on_tls_has_a_certificate(refusals: Refusals, pem: Path) -> None:
    text = "name: a\nlisten: tls://127.0.0.1\n"
    refusals.check(text, 2, "listen", "tls:// needs a certificate", "tls.cert and tls.key")
    refusals.check(f"{text}tls: {{ca: ca.pem}}\n", 2, "listen", "tls:// needs a certificate")
    refusals.check(f"{text}tls: {{cert: rig.pem}}\n", 3, "tls", "cert and key belong together")


def test_a_private_key_that_others_can_read_is_refused(refusals: Refusals, pem: Path) -> None:
    (pem / "rig.pem").chmod(0o644)
    for mode in (0o644, 0o640, 0o602):
        (pem / "rig.key").chmod(mode)
        refusals.check(TLS, 3, "tls.key", f"others can read the key {pem}/rig.key: chmod 600 it")
    text = "name: a\nlisten: tls://127.0.0.1\ntls:\n  cert: rig.pem\n  key: none\n"
    refusals.check(text, 5, "tls.key", f"there is no file {pem / 'none'}")
    refusals.check("name: a\nlisten: tls://127.0.0.1\ntls: {crt: a}\n", 3, "tls.crt", "unknown key")


def test_certificates_that_nobody_uses_are_a_mistake(refusals: Refusals, pem: Path) -> None:
    text = TLS.replace("tls://", "udp://")
    refusals.check(text, 3, "tls", "makes no use of them: listen on tls://")


def test_tls_alone_lets_anybody_in_and_certificates_of_clients_do_not(
    tmp_path: Path, refusals: Refusals, pem: Path
) -> None:
    text = TLS.replace("127.0.0.1", "0.0.0.0")
    refusals.check(text, 2, "listen", "there is no key", "tls.ca")
    new_key(pem / "key")
    for more in ("key_file: key\n", "allow_unauthenticated: true\n"):
        assert _load(tmp_path, text + more).listen.host == "0.0.0.0"
    assert _load(tmp_path, text.replace("key}", "key, ca: ca.pem}")).listen.scheme == "tls"
