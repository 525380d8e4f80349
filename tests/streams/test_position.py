"""The position of an instant in a ring: while it is written, and once it is overwritten."""

import numpy as np
import pytest

from rigctl.blocks import Block
from rigctl.errors import Overrun
from rigctl.streams import RingReader, RingWriter
from tests.streams.making import frames, info

RATE_HZ = float(info().rate_hz)
BEGIN_S = 3000.0


def write(writer: RingWriter, blocks: int, points: int = 10, *, lost_s: float = 0.0) -> None:
    """Write blocks that arrive when their last sample is taken."""
    for _ in range(blocks):
        stop = writer.head + points
        arrival_s = BEGIN_S + stop / RATE_HZ + lost_s
        writer.write(Block(frames(writer.head, stop), stop // points, arrival_s))


def when(sample: float) -> float:
    return BEGIN_S + (sample + 1) / RATE_HZ


def test_an_instant_is_found_in_the_middle_of_a_ring(ring: tuple[RingWriter, RingReader]) -> None:
    writer, reader = ring
    writer.begin_run()
    write(writer, 20)
    assert reader.position_at(when(77.5)) == pytest.approx(77.5)


def test_an_instant_that_is_not_reached_has_no_position(
    ring: tuple[RingWriter, RingReader],
) -> None:
    writer, reader = ring
    assert reader.position_at(when(0)) is None
    write(writer, 20)
    assert reader.position_at(when(199.5)) is None
    write(writer, 1)
    assert reader.position_at(when(199.5)) == pytest.approx(199.5)


def test_before_the_first_block_lies_the_first_sample(ring: tuple[RingWriter, RingReader]) -> None:
    writer, reader = ring
    write(writer, 20)
    assert reader.position_at(when(-1000)) == 0


def test_between_runs_lies_the_first_sample_of_the_next(
    ring: tuple[RingWriter, RingReader],
) -> None:
    writer, reader = ring
    write(writer, 5)
    writer.begin_run()
    write(writer, 5, lost_s=60.0)
    assert reader.position_at(when(50) + 30) == 50
    assert reader.position_at(when(70) + 60) == pytest.approx(70)


def test_what_is_overwritten_is_counted(ring: tuple[RingWriter, RingReader]) -> None:
    writer, reader = ring
    write(writer, 200)
    with pytest.raises(Overrun) as caught:
        reader.position_at(when(499.5))
    assert caught.value.tail == reader.tail
    assert caught.value.missing == reader.tail - 500
    assert reader.position_at(when(reader.tail)) == pytest.approx(reader.tail)


def test_records_that_are_overwritten_are_counted_too(ring: tuple[RingWriter, RingReader]) -> None:
    """A ring of many small blocks, and some without samples, forgets these before the samples."""
    writer, reader = ring
    write(writer, 10)
    for number in range(3000):
        writer.write(Block(np.empty((0, 2), np.int64), 10, when(99) + number / 1e6))
    write(writer, 2)
    with pytest.raises(Overrun) as caught:
        reader.position_at(when(50))
    assert caught.value.tail == 100
    assert caught.value.missing == 50


def test_before_the_beginning_of_what_is_overwritten_no_more_is_missing_than_there_was(
    ring: tuple[RingWriter, RingReader],
) -> None:
    writer, reader = ring
    write(writer, 200)
    with pytest.raises(Overrun) as caught:
        reader.position_at(when(-5000))
    assert caught.value.missing == caught.value.tail == reader.tail


def test_it_is_found_while_the_writer_goes_on_in_another_process(spawn, name: str) -> None:
    process = spawn()
    with RingReader.attach(name) as reader:
        process.tell("flood 7")  # all of its blocks arrive at second 1, and 7 samples take 21 ms
        process.wait_for_answer()
        assert reader.wait(5000, 20)
        for _ in range(200):
            try:
                position = reader.position_at(1.0)
            except Overrun as error:
                assert 0 < error.missing <= error.tail <= reader.head
            else:
                assert position is not None
                assert 0 <= position <= reader.head
