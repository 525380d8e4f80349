"""The rig daemon as a process: what goes wrong, and what is said and done about it."""

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import struct
import threading
from pathlib import Path

import pytest

from rigctl.controller import connect
from rigctl.errors import RigsFailed
from rigctl.recording.verify import verify

from .programs import (
    children,
    free_port,
    report,
    rigctl,
    served_rigs,
    small_disk,
    started,
    until,
)

REF = "2024-01-01_1_subject"
SIMULATED = {"device": "simulated", "channels": 4, "rate": 1000, "dtype": "int16"}
RIG = {"sources": {"amp": SIMULATED}}


def session(folder: Path, rig: str = "eeg", number: int = 1) -> Path:
    return folder / f"data/subject/2024-01-01/{number:03d}/{rig}"


def streams(found, rig="eeg"):
    return found["rigs"][rig]["streams"]


def test_a_stream_without_samples_fails_start_by_name_and_frees_the_reference(tmp_path):
    port = free_port()
    amp = {"device": "rda", "host": "127.0.0.1", "port": port}
    with served_rigs(tmp_path, eeg={"sources": {"amp": amp}}, ok=RIG) as (lab, _):
        lab.write_text(lab.read_text() + "timeouts: {reply: 4}\n")
        failed = rigctl("start", REF, lab=lab)
        assert failed.returncode == 1
        assert "eeg: StreamError: not armed: no samples in time of stream amp" in failed.stderr
        assert "nothing listens there" in failed.stderr
        assert "rolled back: ok" in failed.stderr or "rolled back: eeg, ok" in failed.stderr
        assert not session(tmp_path).exists()
        assert {r["status"] for r in report(lab)["rigs"].values()} == {"CONNECTED"}
        simulate = ("simulate", "rda", "--channels", 2, "--rate", 500, "--port", port, "--json")
        with started(*simulate) as amplifier:
            amplifier.first_line()
            lab.write_text(lab.read_text().replace("reply: 4", "reply: 10"))
            assert rigctl("start", REF, lab=lab).returncode == 0
            assert rigctl("stop", lab=lab).returncode == 0


def test_an_existing_session_is_refused_and_untouched(tmp_path):
    kept = session(tmp_path) / "kept.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("precious")
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        failed = rigctl("start", REF, lab=lab)
        assert failed.returncode == 1
        assert "exists already and nothing is overwritten" in failed.stderr
        assert report(lab)["rigs"]["eeg"]["status"] == "CONNECTED"
    assert kept.read_text() == "precious"
    assert [p.name for p in kept.parent.iterdir()] == ["kept.txt"]


def test_rubbish_on_both_ports_leaves_the_daemon_recording(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        assert rigctl("start", REF, lab=lab).returncode == 0
        port = int(report(lab)["rigs"]["eeg"]["uri"].rpartition(":")[2])
        rubbish = [
            os.urandom(1000),
            b"[" * 50_000,
            b'["' + b"x" * 60_000,
            b"\xff\xfe[1]",
            b"[2,null]",
        ]
        rubbish += [b'[2,"../../etc/passwd",null]', b"[1,{" + b'"a":[' * 5000, b"[1e999]", b"[]"]
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for data in rubbish:
                with socket.socket(socket.AF_INET, kind) as raw:
                    raw.connect(("127.0.0.1", port))
                    raw.sendall(data)
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b'["' + b"x" * 3_000_000)
        rig = report(lab)["rigs"]["eeg"]
        assert (rig["status"], rig["exp_ref"]) == ("RUNNING", REF)
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("cleanup", lab=lab).returncode == 0
    assert verify(session(tmp_path)).ok


@pytest.mark.parametrize(
    "bad", ["../../etc", "2024-01-01_1_..", "2024-13-01_1_s", "2024-01-01_1_a/b"]
)
def test_a_bad_reference_is_refused_here_and_by_the_rig(tmp_path, bad):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        here = rigctl("start", bad, lab=lab)
        assert here.returncode == 2
        assert "is not an experiment reference yyyy-mm-dd_n_subject" in here.stderr
        port = int(report(lab)["rigs"]["eeg"]["uri"].rpartition(":")[2])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            raw.settimeout(10)
            raw.connect(("127.0.0.1", port))
            command = json.dumps([2, bad, None]).encode()
            raw.send(command)
            assert raw.recv(65536) == command  # the echo
            assert json.loads(raw.recv(65536))[:1] == [0]
        assert report(lab)["rigs"]["eeg"]["status"] == "CONNECTED"
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".rigctl"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_and_seals_the_recording(tmp_path, number):
    with served_rigs(tmp_path, eeg=RIG) as (lab, daemons):
        assert rigctl("start", REF, lab=lab).returncode == 0
        workers = children(daemons["eeg"].process.pid)
        assert workers.keys() == {"source", "recorder"}
        assert daemons["eeg"].end(number) == 0
    found = verify(session(tmp_path), full=True)
    assert (found.ok, found.sealed, found.problems) == (True, True, [])
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers.values())


def test_a_killed_source_is_shown_and_comes_back_in_a_new_segment(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, daemons):
        assert rigctl("start", REF, lab=lab).returncode == 0
        before = streams(report(lab))["amp"]["samples"]
        os.kill(children(daemons["eeg"].process.pid)["source"], signal.SIGKILL)
        back = until(lab, lambda r: streams(r)["amp"]["gaps"])
        assert streams(back)["amp"]["gaps"] == 1
        until(lab, lambda r: streams(r)["amp"]["samples"] > before + 500)
        until(lab, lambda r: not r["rigs"]["eeg"]["conditions"])
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("cleanup", lab=lab).returncode == 0
    found = verify(session(tmp_path))
    assert found.ok
    assert found.streams["amp"].gaps == 1
    episodes = json.loads((session(tmp_path) / "session.json").read_text())["episodes"]
    assert "DEGRADED" in {one["condition"] for one in episodes if "exit code -9" in one["detail"]}


def test_a_killed_recorder_is_followed_by_another_and_nothing_is_lost(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, daemons):
        assert rigctl("start", REF, lab=lab).returncode == 0
        killed = children(daemons["eeg"].process.pid)["recorder"]
        before = streams(report(lab))["amp"]["samples"]
        os.kill(killed, signal.SIGKILL)
        back = until(lab, lambda r: streams(r)["amp"]["durable_samples"] > before + 500)
        assert streams(back)["amp"]["gaps"] == 0
        assert children(daemons["eeg"].process.pid)["recorder"] != killed
        until(lab, lambda r: not r["rigs"]["eeg"]["conditions"])
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("cleanup", lab=lab).returncode == 0
    found = verify(session(tmp_path))
    assert (found.ok, found.sealed) == (True, True)
    assert (found.streams["amp"].gaps, found.streams["amp"].missing_samples) == (0, 0)
    episodes = json.loads((session(tmp_path) / "session.json").read_text())["episodes"]
    assert any("nothing is missing before sample" in one["detail"] for one in episodes)


@pytest.mark.parametrize("worker", ["source", "recorder"])
def test_a_worker_that_hangs_shows_and_clears_and_stays_on_record(tmp_path, worker):
    with served_rigs(tmp_path, eeg=RIG) as (lab, daemons):
        assert rigctl("start", REF, lab=lab).returncode == 0
        pid = children(daemons["eeg"].process.pid)[worker]
        os.kill(pid, signal.SIGSTOP)
        hanging = until(lab, lambda r: r["rigs"]["eeg"]["conditions"])
        expected = "no sample for" if worker == "source" else "recorder has not answered for"
        assert expected in hanging["rigs"]["eeg"]["conditions"][0]["reason"]
        os.kill(pid, signal.SIGCONT)
        until(lab, lambda r: not r["rigs"]["eeg"]["conditions"])
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("cleanup", lab=lab).returncode == 0
    assert verify(session(tmp_path)).ok
    episode = json.loads((session(tmp_path) / "session.json").read_text())["episodes"][0]
    assert (episode["condition"], episode["source"]) == ("DEGRADED", "amp")
    assert episode["until_unix_s"] > episode["since_unix_s"]


def test_a_killed_daemon_leaves_no_worker_and_its_recording_is_sealed_without_a_journal_too(
    tmp_path,
):
    with served_rigs(tmp_path, eeg=RIG) as (lab, daemons):
        assert rigctl("start", REF, lab=lab).returncode == 0
        workers = children(daemons["eeg"].process.pid)
        watched = [os.pidfd_open(pid) for pid in workers.values()]
        daemons["eeg"].end(signal.SIGKILL)
        for fd in watched:  # readable when the process has ended
            assert select.select([fd], [], [], 20)[0]
            os.close(fd)
    found = verify(session(tmp_path))
    assert (found.ok, found.sealed) == (True, False)
    assert found.streams["amp"].samples > 0
    with (session(tmp_path) / "amp/data.eeg").open("ab") as data:
        data.write(b"torn")
    shutil.rmtree(tmp_path / "data/.rigctl")
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        back = until(lab, lambda r: r["rigs"]["eeg"]["conditions"])["rigs"]["eeg"]["conditions"][0]
        assert back["condition"] == "RECOVERED"
        assert "4 bytes set aside" in back["reason"]
        told = rigctl("status", lab=lab)
        assert told.returncode == 1
        assert f"is not RUNNING with {REF}: it is CONNECTED" in told.stderr
        again = verify(session(tmp_path), full=True)
        assert (again.ok, again.sealed) == (True, True)
        assert again.streams["amp"].samples == found.streams["amp"].samples
        assert rigctl("start", "2024-01-01_2_subject", lab=lab).returncode == 0
        assert report(lab)["rigs"]["eeg"]["conditions"] == []


def test_a_rig_that_is_down_is_named_and_the_others_are_left_as_they_were(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        lab.write_text(lab.read_text().replace("rigs:", f"rigs:\n  dead: 127.0.0.1:{free_port()}"))
        failed = rigctl("start", REF, lab=lab)
        assert failed.returncode == 3
        assert "nothing listens at udp://127.0.0.1" in failed.stderr
        assert "nothing was started" in failed.stderr
        status = rigctl("status", "--json", lab=lab)
        assert status.returncode == 3
        assert json.loads(status.stdout)["rigs"]["eeg"]["status"] == "CONNECTED"


def test_an_interrupt_ends_a_start_that_waits(tmp_path):
    amp = {"device": "rda", "host": "127.0.0.1", "port": free_port()}
    with served_rigs(tmp_path, eeg={"sources": {"amp": amp}}) as (lab, _):
        lab.write_text(lab.read_text() + "timeouts: {reply: 60}\n")
        with started("start", REF, lab=lab) as start:
            until(lab, _is_arming)
            assert rigctl("stop", "--immediately", lab=lab).returncode == 0
            _, err = start.process.communicate(timeout=20)
        assert start.process.returncode == 1
        assert "EXPINIT was interrupted" in err
    assert not session(tmp_path).exists()


def test_an_interrupt_ends_a_recording_that_waits_for_its_first_sample(tmp_path):
    amp = {"device": "rda", "host": "127.0.0.1", "port": free_port()}
    with served_rigs(tmp_path, eeg={"sources": {"amp": amp}}) as (lab, _):
        lab.write_text(lab.read_text() + "timeouts: {reply: 60}\n")

        async def start_unarmed():
            async with connect(lab) as services:
                started = asyncio.create_task(services.start(REF))
                await asyncio.to_thread(until, lab, lambda r: r["rigs"]["eeg"]["path"])
                await asyncio.to_thread(rigctl, "stop", "--immediately", lab=lab)
                with pytest.raises(RigsFailed, match="EXPSTART was interrupted"):
                    await started

        asyncio.run(start_unarmed())
    assert session(tmp_path, "eeg.abandoned-1").exists()


def _is_arming(report):
    """The rig has opened its source, and waits for the first sample."""
    return "nothing listens" in report["rigs"]["eeg"]["streams"]["amp"]["situation"]


def test_a_service_that_raises_refuses_the_start(tmp_path):
    (tmp_path / "door.py").write_text(
        "from rigctl.daemon import Service\n"
        "class Door(Service):\n"
        "    async def on_start(self, exp_ref, data):\n"
        "        raise RuntimeError('the door is open')\n"
    )
    with served_rigs(tmp_path, eeg=RIG | {"service": "door.py:Door"}) as (lab, _):
        failed = rigctl("start", REF, lab=lab)
        assert failed.returncode == 1
        assert "eeg: RuntimeError: the door is open" in failed.stderr
        assert report(lab)["rigs"]["eeg"]["status"] == "CONNECTED"
    assert not session(tmp_path).exists()


HOOKS = """
import asyncio, sys
from rigctl.daemon import Service
class Odd(Service):
    async def on_start(self, exp_ref, data):
        {start}
    async def on_stop(self, data, immediately):
        {stop}
"""


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ({"start": "sys.exit(3)"}, "on_start called sys.exit(3)"),
        ({"start": "await asyncio.sleep(1e6)"}, "on_start did not return within 0.5 s"),
        ({"start": "raise asyncio.CancelledError"}, "on_start cancelled itself"),
        ({"start": "a = []; a.append(a); return a"}, "cannot"),
        ({"start": "return {1, 2}"}, ""),
        ({"start": "return float('nan')"}, ""),
    ],
    ids=["exits", "hangs", "cancels", "recursive", "set", "nan"],
)
def test_whatever_a_hook_does_the_daemon_answers_and_lives(tmp_path, hooks, said):
    code = HOOKS.format(**({"start": "pass", "stop": "pass"} | hooks))
    (tmp_path / "odd.py").write_text(code)
    rig = RIG | {"service": "odd.py:Odd", "hook_timeout": 0.5}
    with served_rigs(tmp_path, eeg=rig) as (lab, _):
        done = rigctl("start", REF, lab=lab)
        assert done.returncode == (0 if not said else 1), done.stderr
        if said != "cannot":
            assert said in done.stderr
        assert report(lab)["rigs"]["eeg"]["reachable"]


def test_a_hook_that_hangs_at_stop_does_not_hold_the_recording(tmp_path):
    code = HOOKS.format(start="pass", stop="await asyncio.sleep(1e6)")
    (tmp_path / "odd.py").write_text(code)
    rig = RIG | {"service": "odd.py:Odd", "hook_timeout": 0.5}
    with served_rigs(tmp_path, eeg=rig) as (lab, daemons):
        assert rigctl("start", REF, lab=lab).returncode == 0
        failed = rigctl("stop", lab=lab)
        assert failed.returncode == 1
        assert "on_stop did not return within 0.5 s" in failed.stderr
        assert report(lab)["rigs"]["eeg"]["status"] == "STOPPED"
        assert daemons["eeg"].end() == 0
    found = verify(session(tmp_path))
    assert (found.ok, found.sealed) == (True, True)


def test_a_start_that_waits_its_turn_is_interrupted_too(tmp_path):
    amp = {"device": "rda", "host": "127.0.0.1", "port": free_port()}
    with served_rigs(tmp_path, eeg={"sources": {"amp": amp}}) as (lab, _):
        lab.write_text(lab.read_text() + "timeouts: {reply: 60}\n")
        with started("start", REF, lab=lab) as first, started("start", REF, lab=lab) as second:
            until(lab, _is_arming)
            assert rigctl("stop", "--immediately", lab=lab).returncode == 0
            for start in (first, second):
                start.process.communicate(timeout=30)
                assert start.process.returncode == 1
        assert report(lab)["rigs"]["eeg"]["status"] in ("CONNECTED", "INITIALIZED", "STOPPED")


def test_a_full_disk_at_start_is_named_and_holds_no_reference(tmp_path):
    disk = tmp_path / "data"
    disk.mkdir()
    with small_disk(disk, 64):
        (disk / "filler").write_bytes(bytes(60 * 1024))
        unguarded = RIG | {"state_dir": "state", "disk": {"floor": 0}}
        with served_rigs(tmp_path, eeg=unguarded) as (lab, _):
            failed = rigctl("start", REF, lab=lab)
            assert failed.returncode == 1
            assert "No space left" in failed.stderr or "disk" in failed.stderr
            assert not session(tmp_path).exists()
            (disk / "filler").unlink()
            assert rigctl("init", REF, lab=lab).returncode == 0


def test_init_after_a_stop_needs_no_reference(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        assert rigctl("start", REF, lab=lab).returncode == 0
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("init", lab=lab).returncode == 0


def test_a_data_root_that_cannot_be_used_is_named_at_init(tmp_path):
    (tmp_path / "data").write_text("a file")
    with served_rigs(tmp_path, eeg=RIG | {"state_dir": "state"}) as (lab, _):
        failed = rigctl("init", lab=lab)
        assert failed.returncode == 1
        assert f"data_root {tmp_path / 'data'} cannot be made" in failed.stderr


def test_run_is_the_whole_life_and_an_interrupt_ends_it_cleanly(tmp_path):
    with served_rigs(tmp_path, eeg=RIG, probe=RIG) as (lab, _):
        done = rigctl("run", REF, "--for", "1s", "--json", lab=lab)
        assert done.returncode == 0, done.stderr
        assert streams(json.loads(done.stdout))["amp"]["samples"] >= 900
        with started("run", "2024-01-01_2_subject", lab=lab) as run:
            until(lab, lambda r: all(x["status"] == "RUNNING" for x in r["rigs"].values()))
            assert run.end(signal.SIGINT) == 0
        assert {r["status"] for r in report(lab)["rigs"].values()} == {"CONNECTED"}
        for ref in (REF, "2024-01-01_2_subject"):
            assert rigctl("sessions", "verify", ref, lab=lab).returncode == 0


def test_a_stop_without_a_start_changes_nothing_and_is_no_error(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        for command in ("stop", "cleanup", "init", "init", "cleanup"):
            assert rigctl(command, lab=lab).returncode == 0


class BrokenAmplifier(threading.Thread):
    """Sends a good start and good data, 50 blocks a second, then what it is told to."""

    def __init__(self, then: bytes) -> None:
        super().__init__(daemon=True)
        self.then = then
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.broken = threading.Event()

    def run(self) -> None:
        client, _ = self.listener.accept()
        with client, self.listener:
            client.sendall(start_message())
            number = 0
            while not self.broken.wait(0.02):
                client.sendall(data_message(number))
                number += 1
            client.sendall(self.then)
            client.recv(1)


GUID = bytes.fromhex("8E45584396C9864CAF4A98BBF6C91450")


def start_message() -> bytes:
    body = struct.pack("<Id2d", 2, 1000.0, 0.5, 0.5) + b"a\0b\0"
    return GUID + struct.pack("<II", 24 + len(body), 1) + body


def data_message(number: int, points: int = 20) -> bytes:
    body = struct.pack("<III", number, points, 0) + struct.pack(
        f"<{2 * points}h", *range(2 * points)
    )
    return GUID + struct.pack("<II", 24 + len(body), 2) + body


@pytest.mark.parametrize(
    "then",
    [
        b"\0" * 24,
        GUID + struct.pack("<II", 3, 2),
        GUID + struct.pack("<II", 0xFFFFFFFF, 2),
        GUID + struct.pack("<II", 40, 2) + struct.pack("<III", 51, 1000, 0) + b"\0" * 4,
    ],
    ids=["wrong GUID", "size too small", "size too large", "samples overrun the message"],
)
def test_a_broken_amplifier_is_shown_as_lost_and_the_recording_stays_intact(tmp_path, then):
    amplifier = BrokenAmplifier(then)
    amplifier.start()
    amp = {"device": "rda", "host": "127.0.0.1", "port": amplifier.port}
    with served_rigs(tmp_path, eeg={"sources": {"amp": amp}}) as (lab, _):
        assert rigctl("start", REF, lab=lab).returncode == 0
        amplifier.broken.set()
        lost = until(lab, lambda r: streams(r)["amp"]["lost"])
        assert lost["rigs"]["eeg"]["conditions"][0]["stream"] == "amp"
        amplifier.join(20)
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("cleanup", lab=lab).returncode == 0
    found = verify(session(tmp_path))
    assert found.ok
