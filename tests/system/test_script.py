"""A user's script: the few lines of the README, against a real daemon."""

import pytest

import rigctl

from .programs import served_rigs

REF = "2024-01-01_1_subject"
RIG = {"sources": {"amp": {"device": "simulated", "channels": 4, "rate": 1000}}}


async def test_the_lines_of_the_readme_record_a_session(tmp_path):
    with served_rigs(tmp_path, eeg=RIG, probe=RIG) as (lab, _):
        async with rigctl.connect(lab) as services:
            await services.init({"exp_ref": REF})
            replies = await services.start(REF)
            assert replies.keys() == {"eeg", "probe"}
            reference, report = replies["eeg"]
            assert reference == REF
            assert report["streams"]["amp"]["durable_samples"] > 0
            assert (await services.status("RUNNING"))["eeg"] == [rigctl.ExpStatus.RUNNING]
            again = await services.start(REF)
            assert "nothing to do" in again["eeg"][1]["note"]
            with pytest.raises(rigctl.RigsFailed, match="stop it first"):
                await services.start("2024-01-01_2_subject")
            await services.stop()
            await services.cleanup()


async def test_the_same_thing_by_hand(tmp_path):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        uri = rigctl.connect(lab)["eeg"].server_uri
        rig = await rigctl.EchoProtocol.client(uri, name="eeg")
        async with rigctl.Services([rig], timeout=10.0) as services:
            assert (await services.info("CONNECTED"))["eeg"][0] == rigctl.Status.CONNECTED
            await services.init({"exp_ref": {"date": "2024-01-01", "sequence": 1, "subject": "s"}})
            assert (await services.start(None))["eeg"][1]["exp_ref"] == "2024-01-01_1_s"
            await services.stop(immediately=True)
            await services.cleanup()
