"""SIGKILL of the daemon at every write of its journal, and while samples flow.

Each time: one legal state, which the table of `daemon.comeback` names; no command runs twice; its
sender hears the stored reply or that the result is unknown; the recording is intact.
"""

import asyncio
import contextlib
import itertools
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

import rigctl
from rigctl.controller.services import Services
from rigctl.daemon import comeback
from rigctl.daemon.comeback import TABLE, Return
from rigctl.daemon.journal import Journal
from rigctl.daemon.lock import Lock
from rigctl.daemon.standing import Standing
from rigctl.daemon.states import CLEANUP, END, INIT, START
from rigctl.errors import RigsFailed
from rigctl.messages import Event, Status
from rigctl.recording.verify import verify

from .programs import environment, free_port
from .programs import rigctl as program

REF = "2024-01-01_1_subject"
SIMULATED = {"device": "simulated", "channels": 4, "rate": 1000, "dtype": "int16"}
STATUS_AFTER = {
    INIT: "INITIALIZED",
    START: "RUNNING",
    END: "STOPPED",
    CLEANUP: "CONNECTED",
}
HOOKS = """
import json
from pathlib import Path
from rigctl.daemon import Service

class Logged(Service):
    def log(self, hook, data):
        line = {"hook": hook, "token": data.get("token"), "resumed": data.get("resumed", False)}
        with (Path(__file__).parent / "hooks.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\\n")
    async def on_init(self, exp_ref, data):
        self.log("on_init", data)
    async def on_start(self, exp_ref, data):
        self.log("on_start", data)
    async def on_stop(self, data, immediately):
        self.log("on_stop", data)
    async def on_cleanup(self, data):
        self.log("on_cleanup", data)
"""


class Bench:
    """A rig whose daemon is killed and started again, at the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session = folder / "data/subject/2024-01-01/001/eeg"
        self.state = folder / "data/.rigctl"
        self.daemon: subprocess.Popen[str] | None = None
        port = free_port()
        (folder / "hooks.py").write_text(HOOKS)
        rig = {
            "name": "eeg",
            "listen": f"udp://127.0.0.1:{port}",
            "service": "hooks.py:Logged",
            "sources": {"amp": SIMULATED},
            "flush": 0.2,
        }
        (folder / "eeg.yaml").write_text(yaml.safe_dump(rig))
        lab = {"rigs": {"eeg": f"tcp://127.0.0.1:{port}"}, "timeouts": {"echo": 30, "reply": 30}}
        (folder / "rigctl.yaml").write_text(yaml.safe_dump(lab))

    def serve(self, *killed: object) -> None:
        """Start a daemon; one that kills itself at a write, if a write is named."""
        script = [Path(__file__).with_name("killed_serve.py"), *killed]
        program = script if killed else ["-m", "rigctl", "serve"]
        with (self.folder / "log").open("a") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, *map(str, program), str(self.folder / "eeg.yaml"), "--json"],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
                text=True,
            )
        assert self.daemon.stdout
        assert self.daemon.stdout.readline(), (self.folder / "log").read_text()

    async def ended(self) -> int:
        """Wait until the daemon has ended, by itself or killed."""
        assert self.daemon and self.daemon.stdout
        code = await asyncio.to_thread(self.daemon.wait, 30)
        self.daemon.stdout.close()
        return code

    async def kill(self) -> None:
        assert self.daemon
        self.daemon.kill()
        assert await self.ended() == -signal.SIGKILL

    async def end(self) -> None:
        assert self.daemon
        self.daemon.terminate()
        assert await self.ended() == 0, (self.folder / "log").read_text()

    def journal(self) -> tuple[Standing, dict[tuple[str, int], bytes | None]]:
        """Read the journal of a daemon that has ended."""
        journal = Journal.open(self.state / "eeg.db")
        found = journal.standing(), dict(journal.entries())
        journal.close()
        return found

    def hooks(self) -> list[dict[str, object]]:
        """Return the hooks that were called."""
        path = self.folder / "hooks.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def check_end(self) -> None:
        """Nothing of any daemon is left, nothing ran twice, and what was recorded is intact."""
        lock = Lock(self.state / "eeg.workers")
        assert lock.take_now(), "a worker process is left"
        lock.close()
        assert self.journal()[0] == Standing()
        calls = [(c["hook"], c["token"]) for c in self.hooks() if not c["resumed"]]
        assert len(calls) == len(set(calls)), calls
        if self.session.exists():
            found = verify(self.session, full=True)
            assert (found.ok, found.sealed) == (True, True), found


@contextlib.asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[tuple[Bench, Services]]:
    made = Bench(folder)
    try:
        async with rigctl.connect(folder / "rigctl.yaml") as services:
            yield made, services
    finally:
        if made.daemon and made.daemon.poll() is None:
            made.daemon.kill()
            await made.ended()


async def report(services: Services) -> dict:
    """Return what the rig says once it has come back."""
    while True:
        found = (await services.info("CONNECTED"))["eeg"][1]["report"]
        if not any("coming back" in c["reason"] for c in found["conditions"]):
            return found
        await asyncio.sleep(0.02)  # it has nothing else to tell of its progress


def named(found: dict, condition: str) -> list[str]:
    return [c["reason"] for c in found["conditions"] if c["condition"] == condition]


COMMANDS = {
    INIT: lambda services, facts: services.init({"exp_ref": REF, **facts}),
    START: lambda services, facts: services.start(REF, facts),
    END: lambda services, facts: services.stop(facts),
    CLEANUP: lambda services, facts: services.cleanup(facts),
}
WRITES = len(COMMANDS) * 4
"""Each command is begun, its step is begun, its step has ended, it is answered."""
# Before a step has ended is another moment than after it had begun; all others are the same.
MOMENTS = [(1, "before"), *((n, "before") for n in range(3, WRITES, 4))]
MOMENTS += [(n, "after") for n in range(1, WRITES + 1)]


_tokens = itertools.count(1)


async def tell(services: Services, event: Event) -> str:
    """Give a command that goes by a number of its own; return what went wrong."""
    try:
        await COMMANDS[event](services, {"token": next(_tokens)})
    except RigsFailed as failed:
        return str(failed)
    return ""


@pytest.mark.parametrize(("number", "when"), MOMENTS)
async def test_killed_at_a_write_it_ends_in_one_legal_state(tmp_path, number, when):
    async with bench(tmp_path) as (rig, services):
        rig.serve(number, when)
        killed = asyncio.create_task(rig.ended())
        for event in COMMANDS:
            told = asyncio.create_task(tell(services, event))
            await asyncio.wait([told, killed], return_when=asyncio.FIRST_COMPLETED)
            if killed.done():
                break
            assert await told == ""
        assert killed.result() == -signal.SIGKILL
        standing, executed = rig.journal()
        rig.serve()
        # The controller's own repeat of the command, under the same id.
        wrong = await told
        was_begun = len(executed) == list(COMMANDS).index(event) + 1
        assert was_begun == ((number, when) != (1, "before"))
        answer = list(executed.values())[-1] if executed else None
        assert ("not known" in wrong) == (was_begun and answer is None), wrong
        found = await report(services)
        if was_begun:
            way = TABLE[standing.state.status, standing.doing]
            assert found["status"] == comeback.LEADS_TO[way].name
            assert bool(named(found, "RECOVERED")) == (way is not Return.NOTHING)
        else:
            assert (wrong, found["status"]) == ("", STATUS_AFTER[event])
        for later in list(COMMANDS)[list(COMMANDS).index(event) + 1 :]:
            assert await tell(services, later) == ""
        if event is CLEANUP and wrong:
            assert await tell(services, CLEANUP) == ""
        assert (await report(services))["status"] == "CONNECTED"
        await rig.end()
        rig.check_end()
        cut = event is START and was_begun and standing.state.status is not Status.RUNNING
        assert rig.session.exists() == (not cut)
        aside = rig.session.with_name("eeg.abandoned-1")
        assert aside.exists() == ((number, when) == (7, "before"))


async def test_a_session_takes_no_more_writes_than_those(tmp_path):
    async with bench(tmp_path) as (rig, services):
        rig.serve(WRITES + 1, "before")
        for event in COMMANDS:
            assert await tell(services, event) == ""
        await rig.end()
        rig.check_end()
        assert [c["hook"] for c in rig.hooks()] == ["on_init", "on_start", "on_stop", "on_cleanup"]


async def running(rig: Bench, services: Services, samples: int) -> None:
    """Start, and return when so many samples are written."""
    assert await tell(services, START) == ""
    while (await report(services))["streams"]["amp"]["samples"] < samples:
        await asyncio.sleep(0.02)


def recorded(session: Path) -> int:
    """Count the samples in all folders of the stream."""
    return sum(path.stat().st_size for path in session.glob("amp*/data.eeg")) // (4 * 2)


@pytest.mark.parametrize("seed", range(2))
async def test_killed_while_samples_flow_it_goes_on_recording(tmp_path, seed):
    dice = random.Random(seed)
    async with bench(tmp_path) as (rig, services):
        rig.serve()
        await running(rig, services, 50)
        await asyncio.sleep(dice.random() / 2)  # any moment will do
        await rig.kill()
        rig.serve()
        found = await report(services)
        assert (found["status"], found["exp_ref"]) == ("RUNNING", REF)
        (lost,) = named(found, "RECOVERED")
        assert "goes on; amp: " in lost and "nothing was recorded from " in lost
        kept = int(lost.partition("amp: ")[2].partition(" ")[0])
        assert kept >= 50
        while named(found, "DEGRADED") or recorded(rig.session) < kept + 300:
            await asyncio.sleep(0.05)
            found = await report(services)
        assert await tell(services, END) == ""
        assert await tell(services, CLEANUP) == ""
        await rig.end()
        rig.check_end()
    found = verify(rig.session)
    gaps = sum(stream.gaps for stream in found.streams.values())
    assert gaps or len(found.streams) == 2, "the gap is located"
    assert sum(stream.samples for stream in found.streams.values()) >= kept + 300
    calls = [(c["hook"], c["resumed"]) for c in rig.hooks()]
    assert calls[:4] == [(h, r) for r in (False, True) for h in ("on_init", "on_start")]


async def test_killed_while_it_comes_back_it_comes_back_all_the_same(tmp_path):
    async with bench(tmp_path) as (rig, services):
        rig.serve()
        await running(rig, services, 1)
        for _ in range(2):
            await rig.kill()
            rig.serve()
        found = await report(services)
        assert (found["status"], len(named(found, "RECOVERED"))) == ("RUNNING", 1)
        assert await tell(services, CLEANUP) == ""
        await rig.end()
        rig.check_end()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_as_it_writes_that_it_is_back_it_comes_back_all_the_same(tmp_path, when):
    async with bench(tmp_path) as (rig, services):
        rig.serve(8, "after")  # the stop has begun
        await running(rig, services, 1)
        stop = asyncio.create_task(tell(services, END))
        assert await rig.ended() == -signal.SIGKILL
        rig.serve(1, when)
        assert await rig.ended() == -signal.SIGKILL
        rig.serve()
        assert "not known" in await stop
        found = await report(services)
        assert (found["status"], len(named(found, "RECOVERED"))) == ("STOPPED", 1)
        assert await tell(services, CLEANUP) == ""
        await rig.end()
        rig.check_end()


@pytest.mark.parametrize("command", [INIT, START, END])
async def test_ended_in_order_it_leaves_nothing_to_come_back_to(tmp_path, command):
    async with bench(tmp_path) as (rig, services):
        rig.serve()
        for event in itertools.takewhile(lambda one: one <= command, COMMANDS):
            assert await tell(services, event) == ""
        await rig.end()
        rig.check_end()
        rig.serve()
        found = await report(services)
        assert (found["status"], found["conditions"]) == (Status.CONNECTED.name, [])
        await rig.end()


async def test_a_second_daemon_of_a_rig_is_refused(tmp_path):
    async with bench(tmp_path) as (rig, _):
        rig.serve()
        second = await asyncio.to_thread(program, "serve", tmp_path / "eeg.yaml")
        assert second.returncode == 2
        assert rig.daemon
        assert f"rig eeg runs already (process {rig.daemon.pid}, " in second.stderr
        assert second.stderr.count("\n") == 1
        await rig.end()


@pytest.mark.parametrize("state_dir", [None, "state"])
def test_a_journal_that_cannot_be_written_is_told_in_one_sentence(tmp_path, state_dir):
    (tmp_path / (state_dir or "data")).write_text("a file")
    rig = {"name": "eeg", "listen": "udp://127.0.0.1:0"}
    rig |= {"state_dir": state_dir} if state_dir else {}
    (tmp_path / "eeg.yaml").write_text(yaml.safe_dump(rig))
    refused = program("serve", tmp_path / "eeg.yaml")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "eeg.yaml: state_dir: " in refused.stderr
    assert " cannot be made: " in refused.stderr
    assert refused.stderr.count("\n") == 1
