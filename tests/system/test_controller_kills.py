"""SIGKILL of the controller at every write to its journal: one legal state each time."""

import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rigctl.config import load_lab
from rigctl.controller import Desk
from rigctl.messages import ExpRef

from .programs import environment, rigctl, served_rigs

AMP = {"device": "simulated", "channels": 2, "rate": 1000, "dtype": "int16"}
EEG, DOOR = {"sources": {"amp": AMP}, "flush": "100ms"}, {"sources": {}}
NONE = {"CONNECTED"}
RUN, STOPPED = {"RUNNING"}, {"STOPPED"}

WRITES = {"start": 5, "stop": 3, "cleanup": 3, "run": 11, "resume": 6}
"""How often each command writes; a `run` does so as a start, a stop and a cleanup."""
LEGAL = {
    "start": (NONE, RUN),
    "stop": (RUN, STOPPED),
    "cleanup": (STOPPED, NONE),
    "run": (NONE, RUN, STOPPED),
    "resume": (NONE,),
}
POINTS = [
    (verb, number, moment)
    for verb, count in WRITES.items()
    for number in range(1, count + 1)
    for moment in ("before", "after")
    if verb != "run" or number > WRITES["start"]
]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """Labs of two daemons each, one with a stream to record; each test leaves them idle."""
    records, plain = tmp_path_factory.mktemp("records"), tmp_path_factory.mktemp("plain")
    with served_rigs(records, eeg=EEG, door=DOOR) as (one, _):
        with served_rigs(plain, bell=DOOR, door=DOOR) as (other, _):
            for lab in (one, other):
                lab.write_text(lab.read_text() + "go_after: 20ms\n")
            yield one, other


@pytest.fixture
def lab(labs, verb):
    """Streams where they take part; without them many more kills fit into the same time."""
    recording, plain = labs
    return recording if verb == "start" else plain


@pytest.fixture
def exp_ref():
    return f"2024-01-01_{next(_numbers)}_subject"


def dying(lab: Path, number: int, moment: str, *command: str) -> int:
    """Run a command that is killed at its n-th write; return its exit code."""
    arguments = [sys.executable, "-m", "tests.system.dying", str(number), moment, *command]
    ended = subprocess.run(arguments, env=environment(lab), capture_output=True, timeout=60)
    return ended.returncode


def resumed(lab: Path) -> dict:
    done = rigctl("resume", "--json", lab=lab)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def statuses(report: dict) -> set[str]:
    return {rig["status"] for rig in report["rigs"].values()}


async def prepare(lab: Path, verb: str, exp_ref: str) -> list[str]:
    """Bring the rigs to where a command finds something to do; return that command."""
    async with Desk(load_lab(lab)) as desk:
        if verb in ("stop", "cleanup"):
            await desk.start(ExpRef.parse(exp_ref))
        if verb == "cleanup":
            await desk.stop()
    if verb == "resume":
        assert dying(lab, 3, "before", "start", exp_ref) == -signal.SIGKILL
    named = {"start": ["start", exp_ref], "run": ["run", exp_ref, "--for", "0.1s"]}
    return named.get(verb, [verb])


async def go_on(lab: Path, found: set[str], exp_ref: str) -> None:
    """What comes next works, from where the rigs are to where they were at first."""
    async with Desk(load_lab(lab)) as desk:
        if found == NONE:
            report = await desk.start(ExpRef.parse(exp_ref))
            assert {rig.status for rig in report.rigs.values()} == RUN
        if found != STOPPED:
            await desk.stop()
        await desk.cleanup()
        report = await desk.report()
        assert {rig.status for rig in report.rigs.values()} == NONE


@pytest.mark.parametrize(("verb", "number", "moment"), POINTS)
async def test_a_kill_at_any_write_leaves_one_legal_state(lab, exp_ref, verb, number, moment):
    command = await prepare(lab, verb, exp_ref)
    assert dying(lab, number, moment, *command) == -signal.SIGKILL
    report = resumed(lab)
    assert report["ok"], report
    assert statuses(report) in LEGAL[verb], report
    if statuses(report) == RUN:
        assert report["exp_ref"] == exp_ref
    await go_on(lab, statuses(report), f"{exp_ref}-again")


@pytest.mark.parametrize("verb", WRITES)
async def test_no_write_is_left_out_here(lab, exp_ref, verb):
    command = await prepare(lab, verb, exp_ref)
    assert dying(lab, WRITES[verb] + 1, "before", *command) == 0
    await go_on(lab, RUN, exp_ref)  # from wherever they are
