"""Two terminals at one lab: what one of them does by mistake takes nothing from the other."""

import json

from rigctl.recording.verify import verify

from .programs import report, rigctl, served_rigs, started, until

REF, OTHER = "2024-01-01_1_subject", "2024-01-01_2_subject"
RIG = {"sources": {"amp": {"device": "simulated", "channels": 2, "rate": 1000}}}


def all_are(status):
    return lambda found: {rig["status"] for rig in found["rigs"].values()} == {status}


def test_a_start_that_is_refused_while_another_waits_for_its_instant_harms_nothing(tmp_path):
    with served_rigs(tmp_path, eeg=RIG, video=RIG) as (lab, _):
        lab.write_text(lab.read_text() + "go_after: 4s\n")
        with started("start", REF, lab=lab) as first:
            until(lab, all_are("INITIALIZED"))
            refused = rigctl("start", OTHER, lab=lab)
            assert refused.returncode == 1
            assert refused.stderr.endswith("no rig was changed\n")
            assert first.process.wait(30) == 0
        stands = rigctl("resume", lab=lab)
        assert stands.returncode == 0, stands.stderr
        assert stands.stdout.startswith(f"{REF} is RUNNING (nothing was to be done)\n")
        assert all_are("RUNNING")(report(lab))
        assert rigctl("stop", lab=lab).returncode == rigctl("cleanup", lab=lab).returncode == 0
    for name in ("eeg", "video"):
        assert verify(tmp_path / f"data/subject/2024-01-01/001/{name}").ok


def test_a_run_that_is_stopped_from_elsewhere_ends_early_and_says_so(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        with started("run", REF, "--for", "10min", "--json", lab=lab) as run:
            until(lab, all_are("RUNNING"))
            assert rigctl("stop", lab=lab).returncode == 0
            shown, said = run.process.communicate(timeout=60)
        assert run.process.returncode == 1
        assert "no rig records any more: ending early" in said
        assert said.endswith(
            f"rigctl: eeg: it was started, but is not RUNNING with {REF}: "
            f"it is STOPPED with {REF}\n"
        )
        assert json.loads(shown)["rigs"]["eeg"]["status"] == "STOPPED"
        assert all_are("CONNECTED")(report(lab))
