import errno
import logging
import os
import time

import numpy as np
import pytest

from rigctl.blocks import Block, BlockFlags, Marker
from rigctl.errors import RingClosed, RingError
from rigctl.streams import RingReader, RingWriter, mapping
from tests.streams.making import block, frames, info


def test_block_appears_with_its_record_and_markers(ring):
    writer, reader = ring
    cursor = reader.cursor()
    writer.begin_run()
    flags = BlockFlags.GAP_BEFORE
    writer.write(block(0, 5, 41, (Marker(2, "Stimulus", "S  1", 3, 1),), flags))
    batch = cursor.read(100)
    np.testing.assert_array_equal(batch.samples, frames(0, 5))
    (record,) = batch.blocks
    assert (record.counter, record.first, record.points, record.run) == (41, 0, 5, 1)
    assert record.flags == BlockFlags.GAP_BEFORE | BlockFlags.NEW_RUN
    assert batch.markers == (Marker(2, "Stimulus", "S  1", 3, 1),)


def test_only_the_first_block_of_a_run_is_marked(ring):
    writer, reader = ring
    cursor = reader.cursor()
    writer.write(block(0, 1))
    writer.begin_run()
    for start in (1, 2):
        writer.write(block(start, 1))
    records = cursor.read(100).blocks
    assert [record.flags for record in records] == [0, BlockFlags.NEW_RUN, 0]
    assert [record.run for record in records] == [0, 1, 1]
    assert (writer.run, reader.run) == (1, 1)


def test_block_larger_than_the_ring_is_written_in_pieces(ring):
    writer, reader = ring
    points = 2 * writer.capacity + 3
    piece = writer.capacity // 2
    marks = [-1, 0, piece, points - 1, points + 5]
    markers = tuple(Marker(position, "Comment", str(position)) for position in marks)
    seen = []
    cursor = reader.cursor()
    writer._bells.ring = lambda: seen.append(cursor.read(10 * points))
    writer.write(block(0, points, 9, markers, BlockFlags.GAP_BEFORE | BlockFlags.FILLED))
    np.testing.assert_array_equal(np.concatenate([s.samples for s in seen]), frames(0, points))
    records = [record for batch in seen for record in batch.blocks]
    assert [record.counter for record in records] == [9] * 5
    assert records[0].flags == BlockFlags.GAP_BEFORE | BlockFlags.FILLED
    assert {record.flags for record in records[1:]} == {BlockFlags.FILLED}
    assert [marker.position for batch in seen for marker in batch.markers] == marks


def test_long_marker_text_survives_whole(ring):
    writer, reader = ring
    cursor = reader.cursor()
    text = "é" * 200_000
    for start in range(6):  # more than the ring of markers holds
        writer.write(block(start, 1, markers=(Marker(0, "Comment", text),)))
        (marker,) = cursor.read(10).markers
        assert (marker.position, marker.description) == (start, text)


def test_markers_that_fit_no_ring_are_refused_whole(ring):
    writer, reader = ring
    with pytest.raises(RingError, match="markers of block 3"):
        writer.write(block(0, 1, 3, (Marker(0, "Comment", "x" * 2_000_000),)))
    assert (writer.head, reader.head) == (0, 0)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((3, 2), np.int32),
        np.zeros((3, 1), np.int64),
        np.zeros((3,), np.int64),
        np.zeros((3, 2), ">i8"),
    ],
)
def test_samples_of_another_layout_are_refused(ring, samples):
    writer, reader = ring
    with pytest.raises(RingError, match="int64 frames of"):
        writer.write(Block(samples, 0, 0.0))
    assert reader.head == 0


def test_heartbeat_and_arrival_are_shown(ring):
    writer, reader = ring
    assert reader.last_arrival_s is None
    writer.write(Block(frames(0, 1), 0, 12.5))
    writer.write(Block(frames(1, 1), 0, 99.0))
    assert reader.last_arrival_s == 12.5
    before = time.monotonic()
    writer.heartbeat()
    assert before <= reader.last_heartbeat_s <= time.monotonic()
    writer.write(Block(frames(1, 2), 0, 1e9))
    assert reader.last_heartbeat_s == reader.last_arrival_s == 1e9


def test_closed_ring_takes_no_block(ring):
    writer, reader = ring
    writer.close("amplifier stopped")
    writer.close("again")
    with pytest.raises(RingClosed):
        writer.write(block(0, 1))
    assert reader.close_reason == "amplifier stopped"


def test_failure_is_the_reason_of_closing(name):
    with pytest.raises(OSError, match="unplugged"), RingWriter.create(name, info(), 10):
        reader = RingReader.attach(name)
        raise OSError("unplugged")
    assert reader.close_reason == "OSError: unplugged"
    reader.close()


def test_no_room_is_told_and_nothing_left(name, monkeypatch):
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RingError, match="No space left"):
        RingWriter.create(name, info(), 1000)


def test_where_nothing_can_be_mapped_twice_it_is_written_twice(name, monkeypatch, caplog):
    def refuse(*_: int) -> None:
        raise OSError(errno.EPERM, "cannot be mapped twice")

    monkeypatch.setattr(mapping, "_map_twice", refuse)
    with caplog.at_level(logging.WARNING), RingWriter.create(name, info(), 100) as writer:
        writer.write(block(0, 5))
        with RingReader.attach(name) as reader:
            np.testing.assert_array_equal(reader.read(0, 5), frames(0, 5))
    assert "written twice" in caplog.text
    with pytest.raises(RingError, match="mapped twice"):
        RingWriter.create(name, info(), 100, mirrored=True)


@pytest.mark.parametrize(
    ("dtype", "shape"), [("uint8", (48, 64)), ("uint8", (7, 3)), ("float64", (3,)), ("int16", (7,))]
)
def test_frames_of_every_kind_come_back(name, mirrored, dtype, shape):
    rng = np.random.default_rng(5)
    with (
        RingWriter.create(name, info(dtype, shape), 100, mirrored=mirrored) as writer,
        RingReader.attach(name) as reader,
    ):
        assert (reader.info, reader.capacity) == (info(dtype, shape), writer.capacity)
        chunk = writer.capacity // 3 + 1
        for lap in range(8):
            samples = rng.integers(0, 200, (chunk, *shape)).astype(dtype)
            writer.write(Block(samples, lap, 0.0))
            got = reader.latest(chunk)
            assert (got.dtype, got.shape) == (samples.dtype, samples.shape)
            np.testing.assert_array_equal(got, samples)


@pytest.mark.parametrize(
    "of",
    [
        np.asfortranarray,
        lambda samples: np.repeat(samples, 2, axis=0)[::2],
        lambda samples: np.repeat(samples, 2, axis=1)[:, ::2],
        lambda samples: samples[::-1].copy()[::-1],
    ],
)
def test_samples_that_do_not_lie_in_a_row_are_written_as_what_they_are(ring, of):
    writer, reader = ring
    for start in range(0, 3 * reader.capacity, 7):  # across the wrap
        samples = of(frames(start, start + 7))
        assert not samples.flags.c_contiguous
        writer.write(Block(samples, start, 1.0))
    head = reader.head
    np.testing.assert_array_equal(reader.latest(400), frames(head - 400, head))


def test_each_block_keeps_what_is_its_own_among_blocks_that_are_alike(ring):
    writer, reader = ring
    cursor, wanted = reader.cursor(), []
    mark, gap, plain = (Marker(0, "Comment", "x"),), BlockFlags.GAP_BEFORE, BlockFlags.NONE
    for number in range(200):
        if number % 31 == 0:
            writer.begin_run()
        flags, markers = gap if number % 7 == 0 else plain, mark if number % 5 == 0 else ()
        points = 3 if number % 11 == 0 else 2
        writer.write(block(writer.head, points, number, markers, flags))
        begins = BlockFlags.NEW_RUN if number % 31 == 0 else plain
        wanted.append((number, points, flags | begins, 1 + number // 31, len(markers)))
    batch, found = cursor.read(1000), []
    for one in batch.blocks:
        marks = sum(one.first <= m.position < one.first + one.points for m in batch.markers)
        found.append((one.counter, one.points, one.flags, one.run, marks))
    assert found == wanted
    np.testing.assert_array_equal(batch.samples, frames(0, writer.head))
