"""`rigctl resume` as people see it: one line, the table, the exit code."""

import json
import signal

from rigctl.config import load_lab
from rigctl.controller.journal import journal_path

from .programs import free_port, report, rigctl, served_rigs, started, until

REF = "2024-01-01_1_subject"
RIG = {"sources": {"amp": {"device": "simulated", "channels": 2, "rate": 1000}}}
SILENT = {"sources": {"amp": {"device": "rda", "host": "127.0.0.1", "port": free_port()}}}


def statuses(lab):
    return {name: rig["status"] for name, rig in report(lab)["rigs"].items()}


def test_where_nothing_is_wanted_the_rigs_are_shown(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        shown = rigctl("resume", lab=lab)
        assert shown.returncode == 0, shown.stderr
        first, *table = shown.stdout.splitlines()
        assert first == "nothing is wanted of the rigs (nothing was to be done)"
        assert any("CONNECTED" in line for line in table)
        said = json.loads(rigctl("resume", "--json", lab=lab).stdout)
        assert said["wanted"] == {"aim": "NOTHING", "exp_ref": None}
        assert said["rigs"]["eeg"]["status"] == "CONNECTED"


def test_what_runs_stays_and_a_rig_out_of_reach_is_named(tmp_path):
    with served_rigs(tmp_path, eeg=RIG, video=RIG) as (lab, daemons):
        assert rigctl("start", REF, lab=lab).returncode == 0
        stands = rigctl("resume", lab=lab)
        assert stands.returncode == 0, stands.stderr
        assert stands.stdout.startswith(f"{REF} is RUNNING (nothing was to be done)\n")
        daemons["video"].end()
        short = rigctl("resume", lab=lab)
        assert short.returncode == 3
        assert short.stdout.startswith(f"{REF} is RUNNING, but for video")
        assert "video: " in short.stderr
        assert statuses(lab) == {"eeg": "RUNNING", "video": None}


def test_a_start_whose_controller_was_killed_while_it_waited_is_undone(tmp_path):
    with served_rigs(tmp_path, eeg=SILENT, ok=RIG) as (lab, _):
        lab.write_text(lab.read_text() + "timeouts: {reply: 60}\n")
        with started("start", REF, lab=lab) as start:
            until(lab, lambda r: r["rigs"]["ok"]["status"] != "CONNECTED")
            early = rigctl("resume", lab=lab)
            assert early.returncode == 1
            assert (
                f"`rigctl start` is still under way in process {start.process.pid}" in early.stderr
            )
            start.end(signal.SIGKILL)
        done = rigctl("resume", lab=lab)
        assert done.returncode == 0, done.stderr
        told = f"(`start` of {REF} was cut short; rolled back: eeg, ok)"
        assert done.stdout.startswith(f"nothing is wanted of the rigs {told}\n")
        assert statuses(lab) == {"eeg": "CONNECTED", "ok": "CONNECTED"}


def test_a_journal_that_cannot_be_used_is_one_sentence(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        (tmp_path / "state").write_text("")
        lab.write_text(lab.read_text() + "state_dir: state\n")
        for command in (["resume"], ["start", REF]):
            refused = rigctl(*command, lab=lab)
            assert refused.returncode == 1
            assert refused.stderr.splitlines()[-1].startswith("rigctl: the journal ")
            assert "nothing was done: mend that" in refused.stderr
        assert statuses(lab) == {"eeg": "CONNECTED"}
        assert not journal_path(load_lab(lab)).exists()
