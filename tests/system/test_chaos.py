"""Whole sessions of real daemons, rehearsed on a bad network."""

import json
import signal

import pytest
import yaml

from rigctl.recording.verify import verify

from .programs import report, rigctl, served_rigs, started

REF = "2024-01-01_1_subject"
SIMULATED = {"device": "simulated", "channels": 4, "rate": 1000, "dtype": "int16"}
RIG = {"sources": {"amp": SIMULATED}}


def by_tcp(lab, name):
    values = yaml.safe_load(lab.read_text())
    values["rigs"][name] = values["rigs"][name].replace("udp://", "tcp://")
    lab.write_text(yaml.safe_dump(values))


@pytest.mark.parametrize("seed", [1])
def test_a_whole_session_passes_a_bad_network(tmp_path, seed):
    bad = tmp_path / "chaos.yaml"
    options = ("--loss", "5%", "--duplicate", "5%", "--reorder", "5%", "--delay", "2ms")
    with served_rigs(tmp_path, eeg=RIG, probe=RIG, camera=RIG) as (lab, _):
        by_tcp(lab, "camera")
        with started("chaos", *options, "--seed", seed, "--write", bad, "--json", lab=lab) as net:
            net.first_line()
            done = rigctl("run", REF, "--for", "1s", "--json", lab=bad)
            assert done.returncode == 0, done.stderr
            assert {r["status"] for r in report(bad)["rigs"].values()} == {"CONNECTED"}
            net.process.send_signal(signal.SIGTERM)
            counts = json.loads(net.process.communicate(timeout=30)[0])["rigs"]
    for rig in ("eeg", "probe", "camera"):
        found = verify(tmp_path / f"data/subject/2024-01-01/001/{rig}")
        assert (found.ok, found.sealed) == (True, True)
        assert counts[rig]["to_rig"]["passed"] > 5
    udp = [counts[rig][way] for rig in ("eeg", "probe") for way in ("to_rig", "from_rig")]
    assert sum(one["lost"] for one in udp) > 0
    assert sum(one["duplicated"] + one["held"] for one in udp) > 0
    assert counts["camera"]["to_rig"]["lost"] == 0
