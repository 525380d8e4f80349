"""The released `iblutil` package drives our daemon through a whole session."""

import logging

import pytest
from iblutil.io.net import app

from rigctl.recording.verify import verify
from tests.system.programs import report, served_rigs

REF = "2024-01-01_1_subject"
RIG = {"sources": {"amp": {"device": "simulated", "channels": 4, "rate": 1000}}}
log = logging.getLogger("iblutil")


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
async def test_its_controller_records_a_session_on_our_rig(tmp_path, scheme):
    with served_rigs(tmp_path, eeg=RIG | {"main_sync": True}) as (lab, _):
        uri = report(lab)["rigs"]["eeg"]["uri"].replace("udp", scheme)
        services = app.Services([await app.EchoProtocol.client(uri, "eeg", log=log)], timeout=10)
        try:
            said = (await services.info("CONNECTED", {"exp_ref": REF}))["eeg"][1]
            assert (said["main_sync"], said["exp_ref"], said["spec_version"]) == (
                True,
                None,
                "1.0.0",
            )
            await services.init({"exp_ref": REF})
            assert (await services.status("CONNECTED"))["eeg"] == [10]
            started = (await services.start(REF))["eeg"]
            assert started[0] == REF
            assert started[1]["streams"]["amp"]["durable_samples"] > 0
            assert (await services.status("RUNNING"))["eeg"] == [20]
            await services.stop()
            await services.cleanup()
        finally:
            services.close()
    found = verify(tmp_path / "data/subject/2024-01-01/001/eeg")
    assert (found.ok, found.sealed) == (True, True)


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
async def test_two_of_its_controllers_share_our_daemon(tmp_path, scheme):
    with served_rigs(tmp_path, eeg=RIG) as (lab, _):
        uri = report(lab)["rigs"]["eeg"]["uri"].replace("udp", scheme)
        one, two = [
            app.Services([await app.EchoProtocol.client(uri, "eeg", log=log)], timeout=10)
            for _ in range(2)
        ]
        try:
            await one.init({"exp_ref": REF})
            assert (await two.status("CONNECTED"))["eeg"] == [10]
            await one.start(REF)
            for services in (two, one, two):
                assert (await services.status("RUNNING"))["eeg"] == [20]
            await two.stop()
            assert (await one.status("STOPPED"))["eeg"] == [30]
            await one.cleanup()
        finally:
            for services in (one, two):
                services.close()
    assert verify(tmp_path / "data/subject/2024-01-01/001/eeg").ok
