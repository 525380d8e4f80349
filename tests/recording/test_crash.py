"""What a kill and a full disk leave behind: all that was synced, and nothing that is not told."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from rigctl.recording import layout
from rigctl.recording.reader import open_stream
from rigctl.recording.verify import SessionReport, verify
from tests.recording.making import frames

ROOT = Path(__file__).parents[2]

WRITER = """
import itertools, sys
from pathlib import Path
from tests.recording import making
from rigctl.recording.stream_writer import StreamWriter

session = making.make_session(Path(sys.argv[1]))
info = making.signal("int16", channels=8)
writer = StreamWriter.create(session.path / "amp", info, name="amp")
for number in itertools.count():
    writer.append(making.frames(info, 50, number), counter=number, arrival_s=number)
    if number % 5 == 4:
        print(writer.sync(), flush=True)
"""

FILLER = """
import json, resource, sys
from pathlib import Path
import msgspec
from tests.recording import making
from rigctl.errors import RecordingError
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import verify

session = making.make_session(Path(sys.argv[1]))
info = making.signal("int16", channels=8)
writer = StreamWriter.create(session.path / "amp", info, name="amp")
if sys.argv[2:]:
    limit = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
text = ""
while not text:
    try:
        writer.append(making.frames(info, 77), counter=0, arrival_s=0)
    except RecordingError as error:
        text = str(error)
writer.close()
report = msgspec.to_builtins(verify(session.path))
print(json.dumps({"text": text, "samples": writer.samples, "report": report}))
"""

RESERVED = """
import os, sys
from pathlib import Path
from tests.recording import making
from rigctl.recording.events import EventLog
from rigctl.recording.stream_writer import StreamWriter

session = making.make_session(Path(sys.argv[1]))
info = making.signal("int16", channels=64, rate_hz=100)  # 768 kB a minute
events = EventLog(session.path / "events.jsonl")
writer = StreamWriter.create(session.path / "amp", info, name="amp", events=events)
fd = os.open(Path(sys.argv[1]) / "other", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(fd, bytes(4096))
except OSError as error:
    assert error.errno == 28, error
for number in range(300):
    writer.append(making.frames(info, 10, number), counter=number, arrival_s=number)
writer.mark(making.Marker(5, "Stimulus", "S  1"))
writer.sync()
print(writer.durable_samples)
"""


def run(script: str, *args: object, on_tmpfs: str = "") -> str:
    command = [sys.executable, "-c", script, *map(str, args)]
    if on_tmpfs:
        mount = f'mount -t tmpfs -o size={on_tmpfs} none "$1" && shift && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(args[0]), *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if on_tmpfs and "mount" in done.stderr and "Traceback" not in done.stderr:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_unshare = pytest.mark.skipif(not shutil.which("unshare"), reason="there is no unshare")


def test_a_kill_costs_nothing_that_was_synced(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        durable = [int(writer.stdout.readline()) for _ in range(20)][-1]
        writer.kill()
    path = tmp_path / "subject/2024-01-01/001/eeg"
    report = verify(path)
    stream = open_stream(path / "amp")
    assert len(stream.samples) >= durable == 5000
    assert report.streams["amp"].bad_chunks == 0
    assert report.streams["amp"].samples == len(stream.samples)
    assert all("a torn end" in problem for problem in report.problems)
    np.testing.assert_array_equal(
        stream.samples[:durable],
        np.concatenate([_frames(stream.info, number) for number in range(100)]),
    )


def _frames(info: layout.StreamInfo, number: int) -> np.ndarray:
    return frames(info, 50, number)


def _check_filled(output: str, reason: str) -> None:
    found = json.loads(output)
    report = msgspec.convert(found["report"], SessionReport)
    assert reason in found["text"]
    assert "MB free" in found["text"]
    assert report.problems == []
    assert report.streams["amp"].samples == found["samples"] > 0


def test_a_file_that_may_not_grow_ends_in_whole_blocks(tmp_path: Path) -> None:
    _check_filled(run(FILLER, tmp_path, 20_000), "data.eeg: File too large")


@needs_unshare
def test_a_full_disk_ends_in_whole_blocks(tmp_path: Path) -> None:
    _check_filled(run(FILLER, tmp_path, on_tmpfs="512k"), "No space left on device")


@needs_unshare
def test_a_disk_that_another_program_fills_does_not_end_the_recording(tmp_path: Path) -> None:
    assert run(RESERVED, tmp_path, on_tmpfs="4m") == "3000\n"
