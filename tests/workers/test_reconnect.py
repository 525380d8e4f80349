"""An amplifier whose connections break while a session runs: nothing is lost without a count."""

import asyncio

import numpy as np

from rigctl.peers.orders import Opened, Situation
from rigctl.rda.layout import exact_rate
from rigctl.rda.simulator import Simulator, SimulatorSettings
from rigctl.rda.synthetic import SyntheticSource, Wave, signal_layout
from tests.workers.conftest import Deck, Workers

RATE_HZ = 1000
BLOCK_S = 0.004
LOSSES = 3


async def test_what_is_missing_between_connections_is_counted_to_the_sample(
    workers: Workers, deck: Deck
) -> None:
    played = SyntheticSource(signal_layout(2, exact_rate(RATE_HZ), "float32"), Wave())
    settings = SimulatorSettings(port=0, block_s=BLOCK_S, fault="close")
    async with Simulator(played, settings) as simulator:
        playing = asyncio.create_task(simulator.run())
        amp = await workers.source("rda", host="127.0.0.1", port=simulator.port)
        opened = await amp.until(Opened)
        deck.track.attach(opened.ring, from_start=True)
        deck.track.start()
        after = 0
        for _ in range(LOSSES):
            await amp.until(Situation, lambda situation: situation.lost, after=after)
            after = len(amp.told)
            await amp.until(Situation, lambda situation: situation.flowing, after=after)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    await asyncio.to_thread(deck.finish)
    stream = deck.stream()
    assert len(stream.gaps) >= LOSSES
    assert all(gap.missing for gap in stream.gaps)
    assert deck.track.counts.missing_samples == sum(gap.missing for gap in stream.gaps)
    missing = np.zeros(len(stream.samples), int)
    for gap in stream.gaps:
        missing[gap.position :] += gap.missing
    places = np.arange(len(stream.samples)) + missing
    whole = played.read(0, int(places[-1]) + 10 * RATE_HZ)
    (first, *_) = np.flatnonzero((whole[:-20] == stream.samples[0]).all(axis=1))
    assert np.array_equal(stream.samples, whole[first + places])
