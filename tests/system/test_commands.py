"""Commands to real daemons: two controllers, interrupts, what fails and what is left alone."""

import json
import signal

import pytest
import yaml

from rigctl.recording.verify import verify

from .programs import free_port, report, rigctl, served_rigs, started, until

REF, OTHER = "2024-01-01_1_subject", "2024-01-01_2_subject"
SIMULATED = {"device": "simulated", "channels": 4, "rate": 1000, "dtype": "int16"}
RIG = {"sources": {"amp": SIMULATED}}


def silent():
    """Return a rig whose amplifier does not answer."""
    return {"sources": {"amp": {"device": "rda", "host": "127.0.0.1", "port": free_port()}}}


def patient(lab, reply_s=60):
    lab.write_text(lab.read_text() + f"timeouts: {{reply: {reply_s}}}\n")


def session(folder, rig="eeg", number=1):
    return folder / f"data/subject/2024-01-01/{number:03d}/{rig}"


def statuses(lab):
    return {name: rig["status"] for name, rig in report(lab)["rigs"].items()}


def one_rig_lab(lab, name):
    """Write a lab file with one of the rigs of another."""
    uri = yaml.safe_load(lab.read_text())["rigs"][name]
    path = lab.with_name(f"only-{name}.yaml")
    path.write_text(yaml.safe_dump({"rigs": {name: uri}, "data_root": "data"}))
    return path


def test_a_controller_that_is_refused_harms_no_other_controllers_session(tmp_path):
    with served_rigs(tmp_path, eeg=RIG, probe=RIG) as (lab, _):
        eeg = one_rig_lab(lab, "eeg")
        assert rigctl("start", REF, lab=eeg).returncode == 0
        refused = rigctl("start", OTHER, lab=lab)
        assert refused.returncode == 1
        assert f"eeg: Refused: EXPINIT of {OTHER}" in refused.stderr
        assert refused.stderr.endswith("rolled back: probe\n")
        assert statuses(lab) == {"eeg": "RUNNING", "probe": "CONNECTED"}
        assert rigctl("stop", lab=eeg).returncode == 0
        assert rigctl("start", REF, lab=lab).returncode == 1  # the session exists
        assert statuses(lab) == {"eeg": "STOPPED", "probe": "CONNECTED"}
        assert not (session(tmp_path) / "manifest.json").exists()
        assert rigctl("cleanup", lab=lab).returncode == 0
    assert verify(session(tmp_path)).ok


def test_a_rig_that_does_not_run_what_is_to_run_is_told_of(tmp_path):
    with served_rigs(tmp_path, eeg=RIG, probe=RIG) as (lab, _):
        assert rigctl("start", REF, lab=lab).returncode == 0
        assert rigctl("status", lab=lab).returncode == 0
        assert rigctl("stop", lab=one_rig_lab(lab, "eeg")).returncode == 0
        for more in ([], ["--json"]):
            lacking = rigctl("status", *more, lab=lab)
            assert lacking.returncode == 1
            said = f"eeg: it was started, but is not RUNNING with {REF}: it is STOPPED with {REF}"
            # Bringing it there is refused: its session exists.
            way = (
                "a session that was stopped does not go on: end it with rigctl stop, rigctl cleanup"
            )
            assert lacking.stderr == f"rigctl: {said}\n{way}\n"
            assert "probe" in lacking.stdout
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("status", lab=lab).returncode == 0


def test_what_another_command_initialised_is_rolled_back_once_this_one_has_started_it(tmp_path):
    (tmp_path / "door.py").write_text(
        "from rigctl.daemon import Service\n"
        "class Door(Service):\n"
        "    async def on_start(self, exp_ref, data):\n"
        "        raise RuntimeError('the door is open')\n"
    )
    with served_rigs(tmp_path, ok=RIG, door=RIG | {"service": "door.py:Door"}) as (lab, _):
        assert rigctl("init", REF, lab=lab).returncode == 0
        failed = rigctl("start", REF, lab=lab)
        assert failed.returncode == 1
        assert "door: RuntimeError: the door is open" in failed.stderr
        assert failed.stderr.endswith("rolled back: ok\n")
        assert statuses(lab) == {"ok": "CONNECTED", "door": "INITIALIZED"}


@pytest.mark.parametrize("command", ["start", "run"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_undoes_a_start_that_waits(tmp_path, command, number, code):
    with served_rigs(tmp_path, eeg=silent(), ok=RIG) as (lab, _):
        patient(lab)
        with started(command, REF, "--json", lab=lab) as start:
            until(lab, lambda r: r["rigs"]["ok"]["status"] != "CONNECTED")
            start.process.send_signal(number)
            out, err = start.process.communicate(timeout=30)
        assert start.process.returncode == code
        assert "rolled back: eeg, ok" in err
        assert {rig["status"] for rig in json.loads(out)["rigs"].values()} == {"CONNECTED"}
        assert not session(tmp_path).exists()
        assert not session(tmp_path, "ok").exists()


def test_a_source_that_is_not_required_may_be_absent(tmp_path):
    absent = {"device": "rda", "host": "127.0.0.1", "port": free_port(), "required": False}
    rig = {"sources": {"amp": SIMULATED, "buttons": absent}}
    with served_rigs(tmp_path, eeg=rig) as (lab, _):
        begun = rigctl("start", REF, lab=lab)
        assert begun.returncode == 0, begun.stderr
        assert "buttons" in begun.stdout
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("cleanup", lab=lab).returncode == 0
        assert rigctl("run", OTHER, "--for", "0.2s", lab=lab).returncode == 0


def test_a_rig_that_fails_at_stop_keeps_no_rig_from_being_sealed(tmp_path):
    (tmp_path / "door.py").write_text(
        "from rigctl.daemon import Service\n"
        "class Door(Service):\n"
        "    async def on_stop(self, data, immediately):\n"
        "        raise RuntimeError('the door is stuck')\n"
    )
    with served_rigs(tmp_path, bad=RIG | {"service": "door.py:Door"}, good=RIG) as (lab, _):
        done = rigctl("run", REF, "--for", "0.5s", "--json", lab=lab)
        assert done.returncode == 1
        assert "bad: RuntimeError: the door is stuck" in done.stderr
        assert json.loads(done.stdout)["rigs"]["good"]["streams"]["amp"]["samples"] > 0
        assert statuses(lab) == {"bad": "CONNECTED", "good": "CONNECTED"}
    found = [verify(session(tmp_path, name)) for name in ("bad", "good")]
    assert [(one.ok, one.sealed) for one in found] == [(True, True)] * 2


def test_one_daemon_twice_in_the_lab_is_refused(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        uri = yaml.safe_load(lab.read_text())["rigs"]["eeg"]
        again = {"a": uri, "b": uri.replace("127.0.0.1", "localhost")}
        lab.write_text(yaml.safe_dump({"rigs": again}))
        refused = rigctl("start", REF, lab=lab)
        assert refused.returncode == 1
        assert "are one rig" in refused.stderr
        assert set(statuses(lab).values()) == {"CONNECTED"}


def test_why_an_initialised_stream_does_not_flow_is_shown(tmp_path):
    with served_rigs(tmp_path, eeg=silent()) as (lab, _):
        assert rigctl("init", REF, lab=lab).returncode == 0
        until(lab, lambda r: "listens" in r["rigs"]["eeg"]["streams"]["amp"]["situation"])
        assert "\neeg: amp: cannot connect to 127.0.0.1" in rigctl("status", lab=lab).stdout
