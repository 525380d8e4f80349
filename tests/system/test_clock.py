"""Clocks of real daemons: one that is ahead, one whose computer's wall clock is stepped."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from .programs import Program, environment, free_port, report, rigctl, served_rigs, started, until

REF = "2024-01-01_1_subject"
RIG = {"sources": {"amp": {"device": "simulated", "channels": 4, "rate": 1000}}}
AHEAD_S = 0.25

WRAPPER = """\
import sys, time
from pathlib import Path
from rigctl.net.clock import RigClock

ahead_s, step = float(sys.argv.pop(1)), Path(sys.argv.pop(1))

def wall():
    return time.time() + ahead_s + (float(step.read_text()) if step.exists() else 0.0)

RigClock.__init__.__defaults__ = (wall, time.monotonic)

from rigctl.cli import main
main()
"""


@contextlib.contextmanager
def wrapped_rig(folder: Path, ahead_s: float = 0.0) -> Iterator[tuple[Path, Path]]:
    """Serve a rig on a computer of another time; yield the lab file, and the file that steps it."""
    script, step, file = folder / "wrapper.py", folder / "step", folder / "eeg.yaml"
    script.write_text(WRAPPER)
    file.write_text(yaml.safe_dump({"name": "eeg", "listen": "udp://127.0.0.1:0"} | RIG))
    command = [sys.executable, script, str(ahead_s), step, "serve", file, "--json"]
    with (folder / "eeg.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
        )
        rig = Program(process)
        try:
            lab = folder / "rigctl.yaml"
            uri = f"udp://127.0.0.1:{rig.first_line()['port']}"
            lab.write_text(yaml.safe_dump({"rigs": {"eeg": uri}, "data_root": "data"}))
            yield lab, step
        finally:
            assert rig.end() == 0


def stepped(step: Path, by_s: float) -> None:
    """Set the wall clock, at once."""
    new = step.with_suffix(".new")
    new.write_text(str(by_s))
    new.replace(step)


def test_clocks_of_one_computer_agree_within_the_bound_and_who_keeps_it_is_told(tmp_path):
    with served_rigs(tmp_path, eeg=RIG, probe=RIG) as (lab, _):
        until(lab, lambda r: all(rig["host_clock"] for rig in r["rigs"].values()))
        done = rigctl("clock", "--json", lab=lab)
        shown = rigctl("clock", "--probes", 2, lab=lab)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["host"]
    for rig in found["rigs"].values():
        clock = rig["clock"]
        assert abs(clock["offset_s"]) <= clock["bound_s"] < found["limit_s"] == 0.05
        assert 0 < clock["round_trip_s"] < 1
        assert clock["drift_ppm"] is None, "nothing is said of drift after a second"
        assert rig["host_clock"]["source"] == found["host_clock"]["source"] != ""
    assert shown.returncode == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()[:3]] == ["rig", "eeg", "probe"]


def test_a_clock_that_is_ahead_is_found_within_its_bound_and_warned_of(tmp_path):
    warning = "ms from this computer's; clock_limit is 50 ms"
    with wrapped_rig(tmp_path, AHEAD_S) as (lab, _):
        done, shown = rigctl("clock", "--json", lab=lab), rigctl("clock", lab=lab)
        begun, status = rigctl("start", REF, lab=lab), rigctl("status", lab=lab)
        clock = json.loads(done.stdout)["rigs"]["eeg"]["clock"]
        rigctl("cleanup", lab=lab)
        lab.write_text(lab.read_text() + "clock_limit: 0.5\n")
        allowed = rigctl("clock", lab=lab)
    assert (done.returncode, shown.returncode) == (1, 1)
    assert abs(clock["offset_s"] - AHEAD_S) <= clock["bound_s"] < 0.05
    assert clock["over_limit"] is True
    assert all(warning in said.stdout for said in (shown, begun, status))
    assert (begun.returncode, status.returncode) == (0, 0), "it is a warning"
    assert allowed.returncode == 0
    assert warning not in allowed.stdout


def test_a_step_of_the_wall_clock_is_told_and_moves_no_rig(tmp_path):
    with wrapped_rig(tmp_path) as (lab, step):
        stepped(step, 3600.0)
        found = until(lab, lambda r: r["rigs"]["eeg"]["conditions"])["rigs"]["eeg"]
        (condition,) = found["conditions"]
        assert condition["condition"] == "CLOCK"
        assert "stepped by +3600.0" in condition["reason"]
        clock = json.loads(rigctl("clock", "--json", lab=lab).stdout)["rigs"]["eeg"]["clock"]
        assert abs(clock["offset_s"]) <= clock["bound_s"]
        stepped(step, 0.0)
        until(lab, lambda r: len(r["rigs"]["eeg"]["conditions"]) == 2)
        assert rigctl("status", lab=lab).returncode == 0
    assert (tmp_path / "eeg.log").read_text().count("was stepped by") == 2


def test_a_rig_out_of_reach_is_3_and_the_others_are_shown(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        rigs = yaml.safe_load(lab.read_text())["rigs"]
        rigs |= {"dead": f"udp://127.0.0.1:{free_port()}"}
        lab.write_text(yaml.safe_dump({"rigs": rigs}))
        done = rigctl("clock", lab=lab)
    assert done.returncode == 3
    assert "dead: " in done.stdout
    assert "± " in done.stdout


def test_watching_goes_on_until_an_interrupt(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        watch = started("clock", "--watch", "--json", "--probes", 1, lab=lab)
        with watch as program:
            lines = [program.first_line() for _ in range(3)]
            assert program.end(signal.SIGINT) == 130
        assert report(lab)["rigs"]["eeg"]["reachable"]
    assert all(line["rigs"]["eeg"]["clock"]["bound_s"] < 0.05 for line in lines)


def test_no_probes_at_all_is_a_usage_error(tmp_path):
    assert rigctl("clock", "--probes", 0).returncode == 2
