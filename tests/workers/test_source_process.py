"""Source processes: a device's samples into a ring, whatever the device and the daemon do."""

import asyncio
import os
import select
import signal
import time

import numpy as np
import pytest

from rigctl.errors import RingClosed, RingError, WriterDied
from rigctl.peers import process
from rigctl.peers.orders import Noticed, Opened, Ready, Situation
from rigctl.rda.layout import exact_rate
from rigctl.rda.synthetic import SyntheticSource, Wave, signal_layout
from rigctl.streams import RingReader, sweep
from tests.workers.conftest import Workers

SIMULATED = {"channels": 3, "rate": 5000, "dtype": "int16", "block_s": 0.01}
LAYOUT = signal_layout(3, exact_rate(5000), "int16")


async def test_a_source_opens_a_ring_and_fills_it_with_what_the_device_yields(
    workers: Workers,
) -> None:
    source = await workers.source("simulated", **SIMULATED)
    opened = await source.until(Opened)
    assert isinstance(source.told[0], Ready)
    assert (opened.channels, opened.rate_hz, opened.dtype) == (3, 5000.0, "int16")
    situation = await source.until(Situation)
    assert (situation.flowing, situation.lost) == (True, False)
    with RingReader.attach(opened.ring) as ring:
        assert ring.info == LAYOUT
        assert ring.run == 1
        assert ring.capacity >= 50_000  # 10 s
        assert ring.wait(499, 10)
        expected = SyntheticSource(LAYOUT, Wave()).read(0, 500)
        np.testing.assert_array_equal(ring.read(0, 500), expected)
        assert time.monotonic() - ring.last_arrival_s < 10  # one clock for all processes


async def test_a_source_that_is_stopped_closes_and_removes_its_ring(workers: Workers) -> None:
    source = await workers.source("simulated", **SIMULATED)
    opened = await source.until(Opened)
    with RingReader.attach(opened.ring) as ring:
        assert await source.stop() == 0
        with pytest.raises(RingClosed, match="the source stopped"):
            ring.check()
    with pytest.raises(RingError, match="there is no ring"):
        RingReader.attach(opened.ring)


async def test_signals_to_the_whole_group_do_not_end_a_source(workers: Workers) -> None:
    source = await workers.source("simulated", **SIMULATED)
    opened = await source.until(Opened)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(source.worker.pid, number)
    with RingReader.attach(opened.ring) as ring:
        assert ring.wait(ring.head + 500, 10)
        assert source.worker.exit_code is None
        assert await source.stop() == 0


async def test_a_source_that_is_killed_leaves_a_ring_to_sweep(workers: Workers) -> None:
    source = await workers.source("simulated", **SIMULATED)
    opened = await source.until(Opened)
    os.kill(source.worker.pid, signal.SIGKILL)
    assert await source.ended() == -signal.SIGKILL
    with RingReader.attach(opened.ring) as ring, pytest.raises(WriterDied):
        ring.check()
    sweep()
    with pytest.raises(RingError, match="there is no ring"):
        RingReader.attach(opened.ring)


async def test_long_names_make_a_ring_too(workers: Workers) -> None:
    source = await workers.source("simulated", rig="r" * 64, stream="s" * 64, **SIMULATED)
    opened = await source.until(Opened)
    assert opened.ring.startswith("rrr")


async def test_an_unknown_device_is_said_and_ends_the_process(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    source = await workers.source("theremin")
    assert await source.ended() == 1
    situation = source.all(Situation)[-1]
    assert "there is no device 'theremin'" in situation.text
    assert situation.lost
    (said,) = [record for record in caplog.records if "theremin" in record.getMessage()]
    assert (said.name, said.levelname) == ("rigctl.peers.source", "ERROR")


async def test_impossible_settings_are_said(workers: Workers) -> None:
    source = await workers.source("simulated", channels=0)
    assert await source.ended() == 1
    assert "channels" in source.all(Situation)[-1].text


async def test_a_ring_that_no_memory_holds_is_said(workers: Workers) -> None:
    source = await workers.source("simulated", ring_s=1e12, **SIMULATED)
    assert await source.ended() == 1
    assert "no ring" in source.all(Situation)[-1].text


async def test_setup_may_be_long(workers: Workers) -> None:
    source = await workers.source("simulated", nonsense="x" * 1_000_000)
    assert await source.ended() == 1
    assert "no such key" in source.all(Situation)[-1].text


# --- devices of other people


@pytest.mark.usefixtures("drivers")
async def test_a_driver_that_prints_does_not_break_the_channel(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    source = await workers.source("chatty")
    await source.until(Situation, lambda situation: situation.lost)  # it is at its end
    assert [type(report) for report in source.told] == [Ready, Opened, Situation, Situation]
    await source.stop()
    said = [record.getMessage() for record in caplog.records if record.name == "rigctl.peers"]
    for text in ("warming up: 100 %", "from C", "from a program", "not told: ?", "read ''"):
        assert text in said
    assert {getattr(record, "peer", "") for record in caplog.records} >= {"source amp"}


@pytest.mark.usefixtures("drivers")
async def test_an_exhausted_device_says_so_and_its_ring_goes(workers: Workers) -> None:
    source = await workers.source("chatty")
    situation = await source.until(Situation, lambda situation: situation.lost)
    assert situation.text == "the device has no more samples"
    assert source.worker.exit_code is None  # it stays until it is told to go
    assert await source.stop() == 0


@pytest.mark.usefixtures("drivers")
async def test_another_layout_opens_another_ring_and_closes_the_first(workers: Workers) -> None:
    source = await workers.source("changing")
    await source.until(
        Situation, lambda situation: situation.text == "the device has no more samples"
    )
    first, second = source.all(Opened)
    assert (first.channels, second.channels) == (2, 3)
    assert first.ring != second.ring
    with pytest.raises(RingError, match="there is no ring"):
        RingReader.attach(first.ring)


@pytest.mark.usefixtures("drivers")
async def test_what_a_device_says_is_told_in_its_order(workers: Workers) -> None:
    source = await workers.source("changing")
    await source.until(
        Situation, lambda situation: situation.text == "the device has no more samples"
    )
    told = [report for report in source.told if not isinstance(report, Ready | Opened)]
    flows = Situation("samples come", lost=False, flowing=True)
    assert told == [
        Situation("waiting for the knob", lost=False, flowing=False),
        flows,
        flows,  # a run of its own
        Noticed("state", "the knob was turned", {"angle": 30}, at=20),
        flows,
        Situation("the cable is out", lost=True, flowing=False),
        Situation("the device has no more samples", lost=True, flowing=False),
    ]


@pytest.mark.usefixtures("drivers")
async def test_a_mistake_in_a_driver_is_said_with_its_place(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    source = await workers.source("failing")
    assert await source.ended() == 1
    assert source.all(Situation)[-1].text == "ZeroDivisionError: of the driver"
    opened = source.all(Opened)[0]
    with pytest.raises(RingError, match="there is no ring"):
        RingReader.attach(opened.ring)
    assert "drivers.py" in caplog.text


@pytest.mark.usefixtures("drivers")
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "stopped"])
async def test_a_program_that_a_driver_left_behind_ends_with_the_source(
    workers: Workers, killed: bool
) -> None:
    source = await workers.source("leaving")
    helper = os.pidfd_open((await source.until(Noticed)).facts["pid"])
    await source.until(Situation)
    async with asyncio.timeout(process._END_S / 2):  # at once, though it holds the worker's pipes
        if killed:
            os.kill(source.worker.pid, signal.SIGKILL)
            assert await source.ended() == -signal.SIGKILL
        else:
            assert await source.stop() == 0
    assert select.select([helper], [], [], 10)[0]  # it is readable once the process is gone
    os.close(helper)


@pytest.mark.usefixtures("drivers")
async def test_a_driver_that_is_stuck_is_killed_after_a_while(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "_END_S", 0.2)
    source = await workers.source("stuck")
    await source.until(Noticed)
    async with asyncio.timeout(10):
        assert await source.stop() == -signal.SIGKILL
    assert "source amp did not end within 0.2 s and is killed" in caplog.text
