"""From a block's arrival at an RDA client to its samples durable on disk, in real processes.

From: `benchmarks.recording`.  To: the same: the delay of every block.

    simulator --TCP--> source --ring--> recorder --disk, reports--> here

A block counts as durable when a report came that says so, which is later than it was.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.steady import REF, make_session
from benchmarks.workers import Worker, worker
from rigctl.peers.orders import (
    Attach,
    Begin,
    Ended,
    Finish,
    Opened,
    Progress,
    Ready,
    RecorderSetup,
    SourceSetup,
)
from rigctl.recording.reader import open_stream


def delays_s(root: Path, seconds: float, flush_s: float) -> np.ndarray:
    """Record a simulated amplifier for so long, and return how long every block took.

    64 channels of float32 at 5 kHz, in blocks of 20 ms.
    """
    session = make_session(root)
    command = ["simulate", "rda", "--channels", "64", "--rate", "5000", "--port", "0", "--json"]
    simulator = subprocess.Popen(
        [sys.executable, "-m", "rigctl", *command], stdout=subprocess.PIPE, text=True
    )
    assert simulator.stdout
    port = json.loads(simulator.stdout.readline())["port"]
    setup = SourceSetup("bench", "amp", "rda", {"host": "127.0.0.1", "port": port}, 10.0)
    try:
        with (
            worker(["rigctl.peers", "recorder"], RecorderSetup("bench", flush_s)) as recorder,
            worker(["rigctl.peers", "source"], setup) as source,
        ):
            recorder.wait_for(Ready)
            ring = source.wait_for(Opened).ring
            recorder.tell(Begin(str(session.path), str(REF), {"amp": None}))
            recorder.tell(Attach("amp", ring))
            time.sleep(seconds)
            recorder.tell(Finish())
            recorder.wait_for(Ended)
    finally:
        simulator.terminate()
        simulator.communicate()
    return _delays_s(recorder, session.path / "amp")


def _delays_s(recorder: Worker, folder: Path) -> np.ndarray:
    told = [
        (at_s, report.streams["amp"].durable_samples)
        for at_s, report in recorder.reports
        if isinstance(report, Progress) and "amp" in report.streams
    ]
    times_s, durable = np.array(told).T
    records = open_stream(folder).index
    last = records["first"] + records["count"]
    told_in = np.searchsorted(durable, last)
    # What came after the last report became durable by the end of the recording.
    is_told = told_in < len(durable)
    return times_s[told_in[is_told]] - records["arrival_s"][is_told]
