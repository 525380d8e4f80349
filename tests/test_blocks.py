"""The layout of samples, on which rings and files agree."""

from fractions import Fraction

import numpy as np
import pytest

from rigctl.blocks import Block, BlockFlags, Channel, StreamInfo

TWO = (Channel("a"), Channel("b", "mV", 0.5))


def info(
    dtype: str, shape: tuple[int, ...] = (2,), channels: tuple[Channel, ...] = TWO
) -> StreamInfo:
    return StreamInfo(dtype, shape, Fraction(1000), channels)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "float32", "float64", "int64"])
def test_samples_are_little_endian_everywhere(dtype: str) -> None:
    assert info(dtype).numpy_dtype == np.dtype(dtype).newbyteorder("<")
    assert info(dtype).numpy_dtype.byteorder in "<="


@pytest.mark.parametrize(
    ("dtype", "shape", "expected"),
    [("int16", (32,), 64), ("uint8", (480, 640), 307_200), ("float64", (1,), 8), ("int16", (), 2)],
)
def test_the_size_of_a_frame(dtype: str, shape: tuple[int, ...], expected: int) -> None:
    assert info(dtype, shape).frame_bytes == expected


def test_the_size_of_a_large_frame_does_not_overflow() -> None:
    assert info("float64", (2**20, 2**20)).frame_bytes == 2**43


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (info("int16"), True),
        (info("float32"), True),
        (info("float64"), False),
        (info("uint16"), False),
        (info("int16", channels=()), False),
        (info("int16", (3,)), False),
        (info("float32", (2, 3)), False),
        (info("uint8", (2, 2), ()), False),
    ],
)
def test_brainvision_holds_one_small_number_per_channel(stream: StreamInfo, expected: bool) -> None:
    assert stream.is_signal is expected


def test_layouts_are_equal_when_all_that_they_say_is() -> None:
    assert info("int16") == info("int16")
    for other in (
        info("float32"),
        StreamInfo("int16", (2,), Fraction(1001), TWO),
        StreamInfo("int16", (2,), Fraction(1000), (Channel("a"), Channel("b", "µV", 0.5))),
    ):
        assert info("int16") != other


def test_flags_are_a_bit_each_and_do_not_change() -> None:
    """They stand in files and in shared memory."""
    assert {flag.name: int(flag) for flag in BlockFlags} == {
        "GAP_BEFORE": 1,
        "FILLED": 2,
        "NEW_RUN": 4,
        "START": 8,
        "STOP": 16,
        "ROLL_OVER": 32,
    }


def test_a_block_is_itself_only() -> None:
    block = Block(np.zeros((1, 2)), 0, 0.0)
    assert block == block  # comparing arrays would raise
    assert block != Block(np.zeros((1, 2)), 0, 0.0)
