"""Recordings whose process is killed: recovered, sealed, and intact."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import mne
import numpy as np

from rigctl.recording.manifest import seal
from rigctl.recording.reader import open_stream
from rigctl.recording.recover import find_unsealed, recover
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.recording import making

ROOT = Path(__file__).parents[2]

WRITER = """
import itertools, os, signal, sys, threading
from pathlib import Path
from rigctl.recording.events import EventLog
from rigctl.recording.stream_writer import StreamWriter
from tests.recording import making

INFO = making.signal("int16", channels=8)

def record(root, limit, told):
    session = making.make_session(root)
    events = EventLog(session.path / "events.jsonl", "recorder")
    told(session.path)
    writer = StreamWriter.create(session.path / "amp", INFO, name="amp", events=events)
    writer.new_segment(making.WHEN)
    for number in limit:
        writer.append(making.frames(INFO, 50, number), counter=number, arrival_s=number)
        writer.mark(making.Marker(writer.samples - 1, "Stimulus", f"S{number:3}"))
        if number % 3 == 2:
            print(os.getpid(), writer.sync(), flush=True)

def die_at(step):
    write, steps = os.write, itertools.count()
    def half(fd, data):
        if next(steps) == step:
            write(fd, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write(fd, data)
    os.write = half

for step in range(int(sys.argv[3])):
    if os.fork() == 0:
        inside = sys.argv[2] == "inside"
        told = (lambda _: die_at(step)) if inside else (lambda _: None)
        record(Path(sys.argv[1]) / str(step), range(9) if inside else itertools.count(), told)
        os._exit(1)
    os.wait()
"""


def writing(root: Path, kind: str, rounds: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(root), kind, str(rounds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def recovered(root: Path, number: int) -> int:
    """Recover what a writer left, check all of it, and return the number of samples."""
    path = root / str(number) / "subject/2024-01-01/001/eeg"
    assert find_unsealed(root / str(number), "eeg") == [path]
    recovery = recover(path)
    seal(Session.open(path))
    report = verify(path, full=True)
    samples = recovery.streams["amp"].samples if "amp" in recovery.streams else 0
    assert report.problems == ([] if samples else ["amp/: no samples were recorded"])
    if samples:
        read = open_stream(path / "amp")
        blocks = [making.frames(read.info, 50, seed) for seed in range(samples // 50)]
        np.testing.assert_array_equal(read.samples, np.concatenate(blocks))
        marked = [marker.position for marker in read.markers if marker.type == "Stimulus"]
        assert samples // 50 - 1 <= len(marked) <= samples // 50
        raw = mne.io.read_raw_brainvision(path / "amp/data.vhdr", verbose="error")
        assert raw.n_times == samples
    return samples


def test_a_kill_in_the_middle_of_any_write_is_recovered(tmp_path: Path) -> None:
    with writing(tmp_path, "inside", 24) as writer:
        writer.communicate()
    kept = [recovered(tmp_path, number) for number in range(24)]
    assert kept == sorted(kept)
    assert kept[0] == 0
    assert kept[-1] >= 200


def test_a_kill_at_any_time_is_recovered(tmp_path: Path) -> None:
    durable: dict[int, int] = {}
    killed = set()
    with writing(tmp_path, "outside", 10) as writer:
        assert writer.stdout
        for line in writer.stdout:
            pid, samples = map(int, line.split())
            durable[pid] = samples
            if pid not in killed and samples >= 150 * len(durable):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
    assert len(killed) == len(durable) == 10
    for number, samples in enumerate(durable.values()):
        assert recovered(tmp_path, number) >= samples >= 150 * (number + 1)
