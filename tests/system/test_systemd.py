"""What the daemon tells systemd (sd_notify)."""

import socket

import yaml

from .programs import rigctl, started

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
