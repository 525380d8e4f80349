"""Real processes: `rigctl` commands started, listened to and ended."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

DATA = Path(__file__).parents[1] / "data"


@dataclass
class Program:
    """One running `rigctl` command."""

    process: subprocess.Popen[str]

    def first_line(self) -> dict[str, Any]:
        """Wait until it says that it is up; its JSON."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"ended without a word: {self.process.communicate()}"
        return json.loads(line)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Have it end, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


def environment(lab: Path | None = None) -> dict[str, str]:
    """What a command sees: no settings of whoever runs the tests."""
    ours = ("RIGCTL_RINGS", "RIGCTL_STATE")
    env = {k: v for k, v in os.environ.items() if k in ours or not k.startswith("RIGCTL_")}
    return env | ({"RIGCTL_CONFIG": str(lab)} if lab else {})


@contextlib.contextmanager
def started(
    *args: object, lab: Path | None = None, env: dict[str, str] | None = None, **options: Any
) -> Iterator[Program]:
    """Start a command; it is ended with the block."""
    command = [sys.executable, "-m", "rigctl", *map(str, args)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    seen = environment(lab) | (env or {})
    process = subprocess.Popen(command, env=seen, text=True, **streams)
    program = Program(process)
    try:
        yield program
    finally:
        program.end()


def rigctl(*args: object, lab: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "rigctl", *map(str, args)],
        env=environment(lab),
        capture_output=True,
        text=True,
        timeout=60,
    )


def report(lab: Path) -> dict[str, Any]:
    """Return what `rigctl status --json` says."""
    done = rigctl("status", "--json", lab=lab)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def until(lab: Path, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask for the lab's report until something holds; return that report."""
    deadline = time.monotonic() + 30
    while not holds(found := report(lab)):
        assert time.monotonic() < deadline, json.dumps(found, indent=2)
    return found


def children(pid: int) -> dict[str, int]:
    """Return the worker processes of a daemon: ``source`` or ``recorder`` -> process id."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        found[command[3].decode()] = int(child)
    return found


@contextlib.contextmanager
def served_rigs(folder: Path, **rigs: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Program]]]:
    """Serve rigs by name; yield the lab file and the daemons."""
    with contextlib.ExitStack() as stack:
        daemons, uris = {}, {}
        for name, more in rigs.items():
            file = folder / f"{name}.yaml"
            listen = {"name": name, "listen": "udp://127.0.0.1:0"}
            file.write_text(yaml.safe_dump(listen | more))
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            daemons[name] = stack.enter_context(started("serve", file, "--json", stderr=log))
            uris[name] = f"udp://127.0.0.1:{daemons[name].first_line()['port']}"
        lab = folder / "rigctl.yaml"
        lab.write_text(yaml.safe_dump({"rigs": uris, "data_root": "data"}))
        yield lab, daemons


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """Mount a disk of so many kilobytes on a folder; skipped where one may not."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "rigctl-test", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def free_port() -> int:
    """Return a port that nobody listens on, below those that the system gives to clients."""
    while True:
        port = random.randint(15_000, 30_000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
