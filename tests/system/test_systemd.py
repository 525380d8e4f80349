"""What the daemon tells systemd (sd_notify)."""

import contextlib
import select
import socket
import time

import yaml

from rigctl.config.key import new_key
from rigctl.recording.verify import verify
from tests.certificates import Authority

from .programs import rigctl, small_disk, started, until

REF = "2024-01-01_1_subject"
RIG = {
    "name": "eeg",
    "listen": "udp://127.0.0.1:0",
    "sources": {"amp": {"device": "simulated", "channels": 2, "rate": 500}},
}


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(20)
        self.seen = []

    def until(self, text):
        """Return when something was told."""
        while not any(text in line for line in self.seen):
            self.seen += self.socket.recv(4096).decode().splitlines()

    def hears(self, text, within_s):
        """Whether something is told within a time."""
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            if select.select([self.socket], [], [], left_s)[0]:
                self.seen += self.socket.recv(4096).decode().splitlines()
        return any(text in line for line in self.seen)


def test_ready_status_watchdog_and_stopping_are_told(tmp_path):
    systemd = Systemd(tmp_path / "notify")
    rig = tmp_path / "eeg.yaml"
    rig.write_text(yaml.safe_dump(RIG))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    with started("serve", rig, "--json", env=env) as daemon, systemd.socket:
        port = daemon.first_line()["port"]
        systemd.until("READY=1")
        systemd.until("STATUS=CONNECTED")
        lab = tmp_path / "lab.yaml"
        lab.write_text(f"eeg: udp://127.0.0.1:{port}")
        assert rigctl("start", REF, lab=lab).returncode == 0
        systemd.until(f"STATUS=RUNNING; {REF}")
        systemd.seen.clear()
        systemd.until("WATCHDOG=1")
        daemon.process.terminate()
        systemd.until("STOPPING=1")
        assert daemon.end() == 0


DEAF = """\
from rigctl.daemon import Service
from rigctl.daemon.talk import Talk

class Deaf(Service):
    async def on_init(self, exp_ref, data):
        Talk._take = lambda talk, request: None  # from now on nothing is answered
"""


def test_a_daemon_that_answers_nothing_while_its_loop_turns_does_not_feed_the_watchdog(tmp_path):
    systemd = Systemd(tmp_path / "notify")
    (tmp_path / "deaf.py").write_text(DEAF)
    rig = tmp_path / "eeg.yaml"
    rig.write_text(yaml.safe_dump(RIG | {"service": "deaf.py:Deaf"}))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    log = tmp_path / "log"
    with log.open("w") as err, systemd.socket:
        with started("serve", rig, "--json", env=env, stderr=err) as daemon:
            port = daemon.first_line()["port"]
            systemd.until("WATCHDOG=1")
            lab = tmp_path / "lab.yaml"
            rigs = {"eeg": f"udp://127.0.0.1:{port}"}
            lab.write_text(yaml.safe_dump({"rigs": rigs, "timeouts": {"reply": 0.5}}))
            rigctl("init", REF, lab=lab)
            systemd.until(f"STATUS=self-check failed: its answers on udp://127.0.0.1:{port}: ")
            systemd.seen.clear()
            assert not systemd.hears("WATCHDOG=1", within_s=2), "twice as long as it waits"
            daemon.process.terminate()
            systemd.until("STOPPING=1")
            assert daemon.end() == 0
    assert "the watchdog is not fed: its answers on udp" in log.read_text()


def test_a_daemon_with_certificates_asks_itself_too(tmp_path):
    systemd = Systemd(tmp_path / "notify")
    authority = Authority(tmp_path / "certificates")
    own = authority.sign("rig.lab")
    tls = {"cert": str(own.cert), "key": str(own.key), "ca": str(authority.file)}
    rig = tmp_path / "eeg.yaml"
    rig.write_text(yaml.safe_dump(RIG | {"listen": "tls://127.0.0.1:0", "tls": tls}))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    with started("serve", rig, env=env) as daemon, systemd.socket:
        systemd.until("READY=1")
        for _ in range(3):
            systemd.seen.clear()
            systemd.until("WATCHDOG=1")
        assert daemon.end() == 0


def test_a_daemon_with_a_key_asks_itself_with_it(tmp_path):
    systemd = Systemd(tmp_path / "notify")
    new_key(tmp_path / "key")
    rig = tmp_path / "eeg.yaml"
    rig.write_text(yaml.safe_dump(RIG | {"key_file": "key"}))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    with started("serve", rig, env=env) as daemon, systemd.socket:
        systemd.until("READY=1")
        for _ in range(3):
            systemd.seen.clear()
            systemd.until("WATCHDOG=1")
        assert daemon.end() == 0


def test_a_full_disk_of_the_journal_ends_no_recording_and_keeps_nobody_from_stopping_it(tmp_path):
    systemd, state = Systemd(tmp_path / "notify"), tmp_path / "state"
    state.mkdir()
    rig, lab = tmp_path / "eeg.yaml", tmp_path / "lab.yaml"
    rig.write_text(yaml.safe_dump(RIG | {"flush": 0.2}))
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
    env["STATE_DIRECTORY"] = str(state)
    session = tmp_path / "data/subject/2024-01-01/001/eeg"
    with small_disk(state, 256), systemd.socket:
        with started("serve", rig, "--json", env=env) as daemon:
            lab.write_text(f"eeg: udp://127.0.0.1:{daemon.first_line()['port']}")
            assert rigctl("start", REF, lab=lab).returncode == 0
            fill(state / "fill")
            found = until(lab, lambda now: "cannot be written" in str(now["rigs"]["eeg"]))
            assert "the journal" in str(found["rigs"]["eeg"]["conditions"])
            systemd.seen.clear()
            assert systemd.hears("WATCHDOG=1", within_s=2)
            assert rigctl("init", "2024-01-02_1_subject", lab=lab).returncode != 0
            assert "STOPPED" in rigctl("stop", "--immediately", lab=lab).stdout
            daemon.end()
        assert verify(session, full=True).ok
        (state / "fill").unlink()
        with started("serve", rig, "--json", env=env) as daemon:
            lab.write_text(f"eeg: udp://127.0.0.1:{daemon.first_line()['port']}")
            found = until(lab, lambda now: "sealed already" in str(now["rigs"]["eeg"]))
            assert found["rigs"]["eeg"]["status"] == "CONNECTED"
            assert daemon.end() == 0
        assert verify(session, full=True).problems == []


def fill(file):
    """Leave no room on a disk."""
    with file.open("wb", 0) as into, contextlib.suppress(OSError):
        while True:
            into.write(bytes(1000))
