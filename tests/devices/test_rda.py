"""An amplifier as a device, end to end on loopback."""

import asyncio
import math
from contextlib import aclosing

import numpy as np

from rigctl.blocks import Block, Burst, Lull, Run
from rigctl.devices import open_device, settings_for
from rigctl.rda.replay import ReplaySource
from rigctl.rda.simulator import Simulator, SimulatorSettings


async def test_a_replayed_recording_comes_through_the_device(recording_vhdr):
    source = ReplaySource(recording_vhdr, "float32")
    settings = SimulatorSettings(port=0, speed=math.inf, once=True)
    samples, layouts = [], []
    async with asyncio.timeout(20), Simulator(source, settings) as simulator:
        run = asyncio.create_task(simulator.run())
        raw = {"host": "127.0.0.1", "port": simulator.port}
        device = open_device("rda", settings_for("rda", raw), "amp")
        async with aclosing(aiter(device)) as items:
            async for item in items:
                if isinstance(item, Run):
                    layouts.append(item.info)
                elif isinstance(item, Block):
                    samples.append(item.samples.copy())
                elif isinstance(item, Burst):
                    samples.extend(item.samples.copy())
                elif isinstance(item, Lull) and "STOP" in item.reason:
                    break
        await run
    assert layouts == [source.info]
    assert np.array_equal(np.concatenate(samples), source.read(0, 7900))
