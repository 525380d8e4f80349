"""A small disk under a rig: what has no room does not begin, and what runs is ended in order."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rigctl.config import load_lab
from rigctl.controller import Desk
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from rigctl.reports import RigReport

from .programs import free_port, report, rigctl, served_rigs, small_disk, started

REF = "2024-01-01_1_subject"
RIG = {
    "sources": {"amp": {"device": "simulated", "channels": 4, "rate": 1000, "dtype": "int16"}},
    "state_dir": "state",
}
SMALL = RIG | {"disk": {"floor": "3MB", "reserve": "1MB", "duration": "1min"}}
MB = 10**6


@pytest.fixture
def disk(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    with small_disk(folder, 16 * 1024):
        yield folder


def session(folder: Path) -> Path:
    return folder / "subject/2024-01-01/001/eeg"


def leave(folder: Path, free_bytes: int) -> None:
    """Have another program leave just so much free."""
    filler, facts = folder / "filler", os.statvfs(folder)
    size = filler.stat().st_size if filler.exists() else 0
    with filler.open("ab") as file:
        wanted = size + facts.f_bavail * facts.f_frsize - free_bytes
        file.truncate(min(wanted, size))
        os.posix_fallocate(file.fileno(), 0, wanted)


def seen(lab: Path, holds: Callable[[RigReport], Any]) -> RigReport:
    """Ask in this process until something holds of the rig; return that report."""

    async def ask() -> RigReport:
        async with asyncio.timeout(30), Desk(load_lab(lab)) as desk:
            while not holds(rig := (await desk.report()).rigs["eeg"]):
                await asyncio.sleep(0.1)  # what a rig measures comes with its looks
            return rig

    return asyncio.run(ask())


def test_what_has_no_room_is_refused_with_figures_and_leaves_nothing(tmp_path, disk):
    with served_rigs(tmp_path, eeg=SMALL) as (lab, _):
        failed = rigctl("start", REF, "--for", "90min", lab=lab)
        assert failed.returncode == 1
        assert "eeg: RecordingError: the recording needs 136 MB for 1 h 30 min" in failed.stderr
        assert "4 MB are to stay free; 16.8 MB are free in" in failed.stderr
        assert "or record for at most 7 min (--for, or disk.duration in" in failed.stderr
        assert report(lab)["rigs"]["eeg"]["status"] == "CONNECTED"
        assert [path.name for path in disk.iterdir()] == [".rigctl"]
        done = rigctl("run", REF, "--for", "1s", "--json", lab=lab)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)["rigs"]["eeg"]["disk"]
        assert found["floor_bytes"] == 3 * MB
        assert 8 * MB < found["free_bytes"] < 17 * MB
        assert 300 < found["lasts_s"] < 700


def test_a_low_disk_is_said_and_a_full_one_ends_the_recording_in_order(tmp_path, disk):
    with served_rigs(tmp_path, eeg=SMALL) as (lab, _):
        pipe = {"stderr": subprocess.PIPE}
        with started("run", REF, "--json", lab=lab, **pipe) as run:
            seen(lab, lambda rig: rig.status == "RUNNING" and rig.disk)
            leave(disk, 7 * MB // 2)
            low = seen(lab, lambda rig: rig.conditions)
            assert low.status == "RUNNING"
            assert (low.conditions[0].condition, low.conditions[0].stream) == ("DEGRADED", "disk")
            assert "the recording is ended below 3 MB" in low.conditions[0].reason
            (disk / "filler").unlink()
            seen(lab, lambda rig: not rig.conditions)
            leave(disk, 5 * MB // 2)
            out, err = run.process.communicate(timeout=40)
        assert run.process.returncode == 1
        (told,) = json.loads(out)["rigs"]["eeg"]["conditions"]
        assert "ended because only" in told["reason"]
        assert "not RUNNING with 2024-01-01_1_subject: it is STOPPED" in err
        assert "no rig records any more: ending early" in err
        assert err.count("the recording is ended below") == 1
        assert report(lab)["rigs"]["eeg"]["conditions"] == []
    found = verify(session(disk), full=True)
    assert found.ok, found.problems
    episodes = Session.open(session(disk)).record.episodes
    assert [(e.condition, e.source) for e in episodes] == [
        ("DEGRADED", "disk"),
        ("DEGRADED", "disk"),
        ("ENDED", "disk"),
    ]
    assert all(episode.until_unix_s for episode in episodes)


def test_a_wrong_rate_shows_and_clears_with_its_episode(tmp_path):
    port = free_port()
    amp = {"device": "rda", "host": "127.0.0.1", "port": port}
    simulate = ("simulate", "rda", "--channels", 2, "--rate", 500, "--port", port, "--json")
    with served_rigs(tmp_path, eeg={"sources": {"amp": amp}}) as (lab, _):
        with started(*simulate, "--speed", 0.85) as amplifier:
            amplifier.first_line()
            assert rigctl("start", REF, lab=lab).returncode == 0
            wrong = seen(lab, lambda rig: rig.streams["amp"].wrong_hz)
            assert wrong.streams["amp"].wrong_hz == pytest.approx(425, rel=0.02)
            assert "samples a second come, not 500" in wrong.conditions[0].reason
        with started(*simulate) as amplifier:
            amplifier.first_line()
            well = seen(lab, lambda rig: not rig.conditions and rig.streams["amp"].measured_hz)
            assert well.streams["amp"].wrong_hz is None
            assert rigctl("stop", lab=lab).returncode == 0
    record = Session.open(session(tmp_path / "data")).record
    assert any("come, not 500" in episode.detail for episode in record.episodes)
