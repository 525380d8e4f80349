"""The simulated device: layouts, exact rates, markers, images."""

import asyncio
from contextlib import aclosing
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from rigctl.blocks import Block, BlockFlags, Run
from rigctl.devices import open_device, settings_for


async def read(raw: dict[str, object], count: int) -> tuple[Run, list[Block]]:
    device = open_device("simulated", settings_for("simulated", raw), "test")
    async with asyncio.timeout(20), aclosing(aiter(device)) as items:
        run = await anext(items)
        blocks = [await anext(items) for _ in range(count)]
    assert isinstance(run, Run)
    assert all(isinstance(block, Block) for block in blocks)
    return run, blocks


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64", "uint8"])
async def test_blocks_have_the_layout_of_their_run(dtype):
    run, blocks = await read({"channels": 3, "rate": 10_000, "dtype": dtype, "block_s": 0.005}, 3)
    assert run.info.dtype == dtype
    assert run.info.shape == (3,)
    assert len(run.info.channels) == 3
    assert [block.samples.shape for block in blocks] == [(50, 3)] * 3
    assert {block.samples.dtype for block in blocks} == {run.info.numpy_dtype}
    assert [block.counter for block in blocks] == [0, 1, 2]
    new, none = BlockFlags.NEW_RUN, BlockFlags.NONE
    assert [block.flags for block in blocks] == [new, none, none]
    assert run.info.is_signal == (dtype in ("int16", "float32"))


@pytest.mark.parametrize(
    ("rate", "exact"),
    [
        (1000, Fraction(1000)),
        (29.97002997, Fraction(30_000, 1001)),
        ("30000/1001", Fraction(30_000, 1001)),
        ("512.5", Fraction(1025, 2)),
    ],
)
async def test_any_rate_is_exact(rate, exact):
    run, _ = await read({"rate": rate, "channels": 1, "block_s": 0.01}, 1)
    assert run.info.rate_hz == exact


async def test_the_mean_rate_is_exact_although_the_reader_is_late():
    device = open_device(
        "simulated", settings_for("simulated", {"rate": 1000, "block_s": 0.01}), "test"
    )
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(20), aclosing(aiter(device)) as items:
        await anext(items)
        begin = clock()
        await anext(items)
        await asyncio.sleep(0.1)  # this reader is busy, and misses ten deadlines
        times = [(await anext(items)).arrival_s - begin for _ in range(20)]
    due = np.arange(2, 22) * 0.01
    assert np.all(times > due - 0.001)
    assert abs(times[-1] - due[-1]) < 0.08


async def test_markers_come_at_their_samples():
    _, blocks = await read({"rate": 10_000, "markers": 0.01, "block_s": 0.0055}, 4)
    positions = [
        block.counter * 55 + marker.position for block in blocks for marker in block.markers
    ]
    assert positions == [100, 200]
    _, blocks = await read({"rate": 10_000, "markers": 0, "block_s": 0.01}, 2)
    assert not any(block.markers for block in blocks)


async def test_the_seed_makes_it_the_same_again():
    raw = {"rate": 10_000, "seed": 3, "block_s": 0.005}
    (_, first), (_, second), (_, other) = [
        await read(changed, 2) for changed in (raw, raw, {**raw, "seed": 4})
    ]
    assert np.array_equal(first[1].samples, second[1].samples)
    assert not np.array_equal(first[1].samples, other[1].samples)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
async def test_images_move_by_one_row_a_frame(dtype):
    run, blocks = await read({"shape": [12, 16], "rate": 500, "dtype": dtype, "block_s": 0.03}, 2)
    assert run.info.shape == (12, 16)
    assert run.info.channels == ()
    frames = np.concatenate([block.samples for block in blocks])
    assert frames.shape == (30, 12, 16)
    assert frames.dtype == np.dtype(dtype)
    for one, following in pairwise(frames):
        assert np.array_equal(np.roll(one, 1, axis=0), following)
    assert not np.array_equal(frames[0], frames[1])
