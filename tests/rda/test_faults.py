"""Every fault that a server can have: the client says what it is to say, and samples go on."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import numpy as np
import pytest

from rigctl.blocks import Block, BlockFlags, Burst, Item, Lull, Notice, Run
from rigctl.errors import ConfigError
from rigctl.rda import Client
from rigctl.rda.client import RdaClient
from rigctl.rda.faultlist import FAULTS
from rigctl.rda.faults import EVERY_BLOCKS, FIRST_BLOCK, Fault, Mischief, Moment
from rigctl.rda.layout import start_of
from rigctl.rda.simulator import Simulator, SimulatorSettings

from .serving import apart, quick, read_until
from .threads import playing, signal

POINTS = 20
SPEED = 20.0
STALL_S = 0.05
WANTED_BLOCKS = 30

Sign = Callable[[Item], bool]


def lost(text: str) -> Sign:
    return lambda item: isinstance(item, Lull) and item.lost and text in item.reason


def told(text: str, kind: str = "protocol") -> Sign:
    return lambda item: isinstance(item, Notice) and item.kind == kind and text in item.text


def block(is_it: Callable[[Block], bool]) -> Sign:
    return lambda item: isinstance(item, Block) and is_it(item)


def run(is_it: Callable[[Run], bool]) -> Sign:
    return lambda item: isinstance(item, Run) and is_it(item)


def marked(*kinds: str) -> Sign:
    return block(lambda one: tuple(marker.type for marker in one.markers) == kinds)


LATER = block(lambda one: one.counter > EVERY_BLOCKS + FIRST_BLOCK)
NEW_RUN = block(lambda one: one.counter > 1 and bool(one.flags & BlockFlags.NEW_RUN))

SIGNS: dict[str, Sign] = {
    "not-rda": lost("not an RDA server"),
    "wrong-guid": lost("wrong GUID"),
    "size-small": lost("a size of 23 bytes"),
    "size-huge": lost("a size of 4294967295 bytes"),
    "short-body": lost("DATA32 is too short"),
    "points-over": lost("DATA32 is too short"),
    "points-absurd": lost("DATA32 is too short"),
    "trailing-bytes": told("13 bytes at the end", "bad_markers"),
    "no-channels": told("it states 0 channels"),
    "many-channels": told("it states 4294967295 channels"),
    "interval-zero": told("a sampling interval of 0.0"),
    "interval-nan": told("a sampling interval of nan"),
    "interval-inf": told("a sampling interval of inf"),
    "resolutions": told("3 resolutions are 0 or not finite"),
    "names-missing": run(lambda one: one.info.channels[3].name == "Ch4"),
    "names-twice": run(lambda one: one.info.channels[1].name == "Cz_2"),
    "names-bytes": run(lambda one: one.info.channels[0].name == "µV"),
    "no-start": told("data before START are dropped"),
    "mixed-types": run(lambda one: one.info.dtype == "int16"),
    "no-points": block(lambda one: one.samples.shape == (0, 4) and len(one.markers) == 1),
    "not-numbers": block(lambda one: bool(np.isnan(one.samples[0]).all())),
    "huge-block": block(lambda one: len(one.samples) == 200_000),
    "markers-absurd": told("4294967295 markers are stated", "bad_markers"),
    "marker-size-zero": told("impossible sizes", "bad_markers"),
    "marker-size-over": told("impossible sizes", "bad_markers"),
    "marker-size-double": marked("Stimulus", "Stimulus"),
    "marker-outside": told("2 markers lie outside", "bad_markers"),
    "marker-one-text": marked("Stimulus:S1"),
    "marker-bytes": marked("ÿ\ufffd"),
    "gap": block(lambda one: one.flags == BlockFlags.GAP_BEFORE),
    "repeat": told("a block with the number of the one before"),
    "fall": block(lambda one: one.counter == 0 and one.flags == BlockFlags.NEW_RUN),
    "start-again": NEW_RUN,
    "start-other": run(lambda one: one.info.shape == (1,)),
    "stop-start": lambda item: isinstance(item, Lull) and "STOP" in item.reason,
    "unknown-types": told("the unknown type 100000"),
    "keep-alives": LATER,
    "impedances": told("impedances of 2 electrodes", "impedance"),
    "states": told("99", "state"),
    "fragments": LATER,
    "close": lost("the server closed the connection"),
    "close-within": lost("the server closed the connection"),
    "reset": lost("the connection broke"),
    "silence": lost("no message for"),
    "trickle": lost("no message for"),
}
"""What shows that the client has met a fault."""

HARMED = {"fall"}
"""Faults after which a block's number does not tell which samples it holds."""


def simulator(fault: str) -> Simulator:
    return Simulator(signal(), SimulatorSettings(port=0, speed=SPEED, fault=fault))


def usual(item: Item) -> bool:
    return (
        isinstance(item, Block)
        and item.samples.shape == (POINTS, 4)
        and item.samples.dtype == np.float32
        and bool(np.isfinite(item.samples).all())
    )


async def met(fault: str) -> list[Item]:
    """Everything up to the fault and enough usual blocks behind it."""
    sign = SIGNS[fault]
    async with simulator(fault) as server:
        playing = asyncio.create_task(server.run())
        try:
            async with aclosing(aiter(RdaClient(quick(server.port, stall_s=STALL_S)))) as items:
                before = await read_until(items, sign)
                behind: list[Item] = []
                while sum(map(usual, behind)) < WANTED_BLOCKS:
                    behind += await read_until(items, usual)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
    return before + behind


def test_every_fault_is_tested() -> None:
    assert FAULTS.keys() == SIGNS.keys()


@pytest.mark.parametrize("fault", SIGNS)
async def test_a_client_survives(fault: str) -> None:
    items = await met(fault)
    source = signal()
    for item in items:
        if usual(item) and fault not in HARMED:
            assert isinstance(item, Block)
            expected = source.read((item.counter - 1) * POINTS, POINTS)
            assert np.array_equal(item.samples, expected), f"block {item.counter}"


async def test_samples_lost_with_a_connection_are_those_between_and_no_others() -> None:
    counters = [item.counter for item in await met("close") if isinstance(item, Block)]
    assert counters == sorted(set(counters))


def test_a_block_larger_than_the_ring_leaves_its_end_there() -> None:
    settings = SimulatorSettings(port=0, speed=SPEED, fault="huge-block")
    with playing(signal(), settings) as (served, _):
        client = Client(buffer_size=300)
        client.connect(served.address)
        client.start_streaming()
        assert client._await(lambda: client.last_sample > 200_000, 20)
        client.stop_streaming()
        last, first = client.last_sample, client.first_sample
        newest, oldest = client.get_data(last - 300, last), client.get_data(0, 300)
        client.disconnect()
    assert newest is not None
    assert newest.shape == (300, 4)
    assert oldest is None
    assert first > 190_000


def test_a_fault_comes_back_after_usual_blocks() -> None:
    mischief = Mischief(Fault("test", (lambda _: [b"x"], lambda _: [])))
    samples = np.zeros((1, 1), np.float32)
    moment = Moment(1, samples, (), start_of(signal(channels=1).info))
    done = [mischief.acts(moment) for _ in range(2 * EVERY_BLOCKS)]
    assert [n for n, acts in enumerate(done) if acts is not None] == [
        FIRST_BLOCK,
        FIRST_BLOCK + 1,
        EVERY_BLOCKS + FIRST_BLOCK,
        EVERY_BLOCKS + FIRST_BLOCK + 1,
    ]


def test_an_unknown_fault_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'rain' is none of not-rda, .*, trickle"):
        SimulatorSettings(fault="rain")


def test_a_burst_taken_apart_is_its_blocks() -> None:
    burst = Burst(np.zeros((3, 2, 1)), 7, 1.0, BlockFlags.NEW_RUN)
    parts = [part for part in apart(burst) if isinstance(part, Block)]
    assert [(part.counter, part.flags) for part in parts] == [(7, 4), (8, 0), (9, 0)]
