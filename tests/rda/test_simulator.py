"""The simulated server, seen by our client and by a plain socket."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import rigctl.rda.simulator
from rigctl.blocks import BlockFlags, Marker
from rigctl.errors import ConfigError
from rigctl.rda.client import RdaClient
from rigctl.rda.messages import Data, Info, KeepAlive, Message, NewState, Start, State, Stop
from rigctl.rda.protocol import Parser
from rigctl.rda.replay import ReplaySource
from rigctl.rda.simulator import Simulator, SimulatorSettings
from rigctl.rda.synthetic import SyntheticSource, Wave, signal_layout

from .serving import DEADLINE_S, blocks, is_block, is_lost, is_lull, quick, read_until, runs

FAST = SimulatorSettings(port=0, speed=100.0)
ONCE = SimulatorSettings(port=0, speed=math.inf, once=True)


def signal(dtype: str = "float32", points: int | None = None, channels: int = 4) -> SyntheticSource:
    return SyntheticSource(signal_layout(channels, Fraction(1000), dtype), Wave(), points)


@asynccontextmanager
async def playing(simulator: Simulator) -> AsyncIterator[Simulator]:
    async with simulator, asyncio.timeout(DEADLINE_S):
        task = asyncio.create_task(simulator.run())
        try:
            yield simulator
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def opened(simulator: Simulator):
    return aclosing(aiter(RdaClient(quick(simulator.port))))


class PlainClient:
    """Another program's client: a socket and the messages that come out of it."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader, self._parser = reader, Parser()
        self.messages: list[Message] = []

    async def until(self, kind: type) -> list[Message]:
        while not any(isinstance(message, kind) for message in self.messages):
            raw = await self._reader.read(65536)
            assert raw, f"the server closed behind {self.messages}"
            self.messages += self._parser.feed(raw)
        found, self.messages = self.messages, []
        return found


@asynccontextmanager
async def plain(simulator: Simulator) -> AsyncIterator[PlainClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield PlainClient(reader)
    finally:
        writer.transport.abort()


async def test_a_client_gets_info_state_start_and_then_data():
    async with playing(Simulator(signal(), FAST)) as simulator, plain(simulator) as client:
        info, state, start, data, *_ = await client.until(Data)
    assert isinstance(info, Info)
    assert state == NewState(State.MONITORING)
    assert isinstance(start, Start)
    assert isinstance(data, Data)
    assert data.samples.shape == (20, 4)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
async def test_a_replay_arrives_sample_for_sample_and_marker_for_marker(recording_vhdr, dtype):
    source = ReplaySource(recording_vhdr, dtype)
    async with Simulator(source, ONCE) as simulator, opened(simulator) as items:
        run = asyncio.create_task(simulator.run())
        found = await read_until(items, is_lull("STOP"))
        await run
    raw = np.fromfile(recording_vhdr.with_suffix(".eeg"), "<i2").reshape(-1, 32)
    (begun,) = runs(found)
    assert begun.info == source.info
    received = np.concatenate([block.samples for block in blocks(found)])
    assert received.dtype == np.dtype(dtype)
    assert np.array_equal(received, raw)
    markers, first = [], 0
    for block in blocks(found):
        markers += [replace(one, position=one.position + first) for one in block.markers]
        first += len(block.samples)
    assert tuple(markers) == source.markers(0, 7900)
    assert [block.flags for block in blocks(found)[1:]] == [BlockFlags.NONE] * 394


async def test_once_begins_with_the_first_client_and_ends_with_state_and_stop():
    async with Simulator(signal(points=1000), ONCE) as simulator:
        run = asyncio.create_task(simulator.run())
        await asyncio.sleep(0)
        assert simulator.sent_samples == 0
        async with plain(simulator) as client:
            messages = await client.until(Stop)
        await run
        assert simulator.sent_samples == 1000
    assert messages[-2:] == [NewState(State.IDLE), Stop()]
    numbers = [message.block for message in messages if isinstance(message, Data)]
    assert numbers == list(range(1, 51))


async def test_once_is_not_used_up_by_a_look_whether_the_port_is_open():
    async with Simulator(signal(points=1000), replace(ONCE, speed=10.0)) as simulator:
        run = asyncio.create_task(simulator.run())
        async with plain(simulator) as probe:
            await probe.until(Start)
        while simulator.clients:
            await asyncio.sleep(0)
        async with plain(simulator) as client:
            messages = await client.until(Stop)
        await run
    numbers = [message.block for message in messages if isinstance(message, Data)]
    assert numbers == list(range(1, 51))


async def test_once_ends_although_its_client_left_in_the_middle(monkeypatch):
    monkeypatch.setattr(rigctl.rda.simulator, "_PROBE_S", 0.0)
    async with Simulator(signal(points=1000), replace(ONCE, speed=10.0)) as simulator:
        run = asyncio.create_task(simulator.run())
        async with plain(simulator) as client:
            await client.until(Data)
        async with asyncio.timeout(DEADLINE_S):
            await run


async def test_once_waits_for_a_slow_client_and_drops_nothing():
    source = signal("int16", points=400_000, channels=32)  # 25 MB: more than sockets hold
    async with Simulator(source, replace(ONCE, block_s=1.0)) as simulator:
        run = asyncio.create_task(simulator.run())
        async with plain(simulator) as slow, plain(simulator) as quick_one:
            messages = await slow.until(Start)
            reading = asyncio.create_task(quick_one.until(Stop))
            await asyncio.wait([run, reading], timeout=0.2)
            assert not run.done()
            messages += await slow.until(Stop)
            await reading
            await run
        assert simulator.dropped_blocks == 0
    points = sum(len(message.samples) for message in messages if isinstance(message, Data))
    assert points == 400_000


async def test_a_slow_client_is_dropped_from_and_sees_a_jump():
    source = signal("float32", channels=500)
    settings = SimulatorSettings(port=0, speed=1000.0, block_s=0.5, queue_blocks=2)
    async with playing(Simulator(source, settings)) as simulator:
        async with plain(simulator) as slow, plain(simulator) as watcher:
            await slow.until(Data)
            while not simulator.dropped_blocks:
                await watcher.until(Data)
            numbers: list[int] = []
            while not any(b > a + 1 for a, b in pairwise(numbers)):
                found = await slow.until(Data)
                numbers += [message.block for message in found if isinstance(message, Data)]
    assert numbers == sorted(set(numbers))


async def test_several_clients_get_the_same_blocks():
    async with playing(Simulator(signal(), FAST)) as simulator:
        async with opened(simulator) as first, opened(simulator) as second:
            found = await asyncio.gather(
                read_until(first, is_block(40)), read_until(second, is_block(40))
            )
            assert simulator.clients == 2
    for one, other in zip(blocks(found[0])[::-1], blocks(found[1])[::-1], strict=False):
        assert np.array_equal(one.samples, other.samples)


async def test_a_late_client_gets_start_and_the_newest_data():
    async with playing(Simulator(signal(), FAST)) as simulator:
        async with opened(simulator) as first:
            await read_until(first, is_block(30))
            async with opened(simulator) as late:
                found = await read_until(late, lambda item: bool(blocks([item])))
    assert len(runs(found)) == 1
    assert blocks(found)[0].counter >= 30


async def test_a_restart_with_another_layout_is_a_new_run_on_the_same_connection():
    async with Simulator(signal(points=100), ONCE) as simulator, opened(simulator) as items:
        first = asyncio.create_task(simulator.run())
        await read_until(items, is_lull("STOP"))
        await first
        second = asyncio.create_task(simulator.run(signal("int16", 200, channels=7)))
        found = await read_until(items, is_lull("STOP"))
        await second
    (run,) = runs(found)
    assert (run.info.dtype, run.info.shape) == ("int16", (7,))
    assert run.info.channels[0].resolution == 0.1
    assert sum(len(block.samples) for block in blocks(found)) == 200


async def test_the_server_restarts_in_mid_stream():
    async with playing(Simulator(signal(), FAST)) as simulator:
        port = simulator.port
        items = aiter(RdaClient(quick(port)))
        await read_until(items, is_block(3))
    async with aclosing(items):
        await read_until(items, is_lost)
        async with playing(Simulator(signal("int16"), replace(FAST, port=port))):
            found = await read_until(items, lambda item: bool(blocks([item])))
    assert runs(found)[0].info.dtype == "int16"


async def test_idle_clients_get_their_state_and_keep_alives():
    settings = replace(FAST, keep_alive_s=0.001)
    async with Simulator(signal(), settings) as simulator, plain(simulator) as client:
        info, state, *_ = await client.until(KeepAlive)
    assert isinstance(info, Info)
    assert state == NewState(State.IDLE)


async def test_a_cancelled_run_says_stop():
    async with playing(Simulator(signal(), FAST)) as simulator, plain(simulator) as client:
        await client.until(Data)
        run = next(task for task in asyncio.all_tasks() if "Simulator.run" in repr(task))
        run.cancel()
        assert Stop() in await client.until(Stop)


async def test_a_loop_goes_on_with_the_number_and_repeats_markers_but_new_segment():
    class Short(SyntheticSource):
        def markers(self, begin: int, points: int) -> tuple[Marker, ...]:
            all_of_them = (Marker(0, "New Segment"), Marker(45, "Stimulus", "S  1"))
            inside = [one for one in all_of_them if begin <= one.position < begin + points]
            return tuple(replace(one, position=one.position - begin) for one in inside)

    source = Short(signal().info, Wave(), 50)
    async with Simulator(source, FAST) as simulator, plain(simulator) as client:
        await client.until(Info)
        run = asyncio.create_task(simulator.run())
        found: list[Data] = []
        while len(found) < 7:
            found += [one for one in await client.until(Data) if isinstance(one, Data)]
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert [data.block for data in found[:7]] == [1, 2, 3, 4, 5, 6, 7]
    assert [len(data.samples) for data in found[:6]] == [20, 20, 10, 20, 20, 10]
    types = [[marker.type for marker in data.markers] for data in found[:6]]
    assert types == [["New Segment"], [], ["Stimulus"], [], [], ["Stimulus"]]


async def test_blocks_leave_at_the_true_rate_times_speed():
    clock = asyncio.get_running_loop().time
    async with Simulator(signal(points=2000), replace(ONCE, speed=10.0)) as simulator:
        async with plain(simulator) as client:
            begin = clock()
            run = asyncio.create_task(simulator.run())
            await client.until(Stop)
            lasted = clock() - begin
        await run
    assert 0.19 < lasted < 2.0


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"block_s": 0.0}, "block_s"),
        ({"speed": -1.0}, "speed"),
        ({"speed": math.nan}, "speed"),
        ({"speed": math.inf}, "speed"),
        ({"queue_blocks": 0}, "queue_blocks"),
    ],
)
def test_impossible_settings_are_refused(changes, key):
    with pytest.raises(ConfigError) as caught:
        SimulatorSettings(**changes)
    assert caught.value.key == key


def test_an_endless_source_cannot_be_played_once():
    with pytest.raises(ConfigError, match="never ends"):
        Simulator(signal(), ONCE)
