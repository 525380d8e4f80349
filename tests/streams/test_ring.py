"""A writer and its readers in different processes: what no single process can show."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rigctl.errors import NotYet, Overrun, RingClosed, WriterDied
from rigctl.streams import RingReader, RingWriter, folders, sweep
from tests.streams.making import WriterProcess, block, frames, info

POINTS = 64


@pytest.mark.parametrize(("locked", "reads"), [(False, 60_000), (True, 5_000)])
def test_no_read_is_torn(name, spawn, mirrored, locked, reads):
    writer = spawn(mirrored=mirrored, locked=locked)
    writer.ask("flood 20")
    index = np.arange(POINTS)
    with RingReader.attach(name) as reader:
        reader.wait(reader.capacity, 60)
        room = reader.capacity - POINTS
        checked = torn = overruns = 0
        while checked < reads or not overruns:  # without any, nothing would be proved
            start = reader.tail + (checked * 37) % room
            try:
                got = reader.read(start, start + POINTS)
            except (Overrun, NotYet):
                overruns += 1
                continue
            checked += 1
            torn += not ((got[:, 0] - start == index).all() and (got[:, 1] == ~got[:, 0]).all())
    assert torn == 0


def test_no_batch_is_torn_or_unaccounted(name, spawn, mirrored):
    writer = spawn(capacity=4096, mirrored=mirrored)
    writer.ask("flood 20")
    with RingReader.attach(name) as reader:
        cursor = reader.cursor()
        start = cursor.position
        batches = read = overruns = 0
        while batches < 2_000 or not overruns:
            try:
                batch = cursor.read(400)
            except Overrun as overrun:
                # At full speed the oldest block is gone before it can be copied.
                cursor.skip_to(overrun.tail + reader.capacity // 2)
                overruns += 1
                continue
            if batch is None:
                continue
            batches += 1
            read += len(batch.samples)
            assert np.array_equal(batch.samples, frames(batch.start, batch.stop))
            assert all(record.points == 20 for record in batch.blocks)
            assert batch.stop == cursor.position == start + read + cursor.lost


def test_waiting_reader_is_woken_by_every_block(name, spawn):
    writer = spawn()
    with RingReader.attach(name) as reader:
        for index in range(200):
            writer.tell("write 1")
            assert reader.wait(index, 60)
            assert reader.read(index, index + 1)[0, 0] == index
            writer.wait_for_answer()


def test_two_readers_wait_at_once(name, spawn):
    writer = spawn()
    with (
        RingReader.attach(name) as one,
        RingReader.attach(name) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        waiting = [pool.submit(reader.wait, 4, 60) for reader in (one, two)]
        writer.ask("write 5 hello")
        assert all(future.result() for future in waiting)
        for reader in (one, two):
            assert reader.cursor(0).read(10).markers[0].description == "hello"


def test_killed_writer_is_told_at_once_and_what_it_wrote_stays(name, spawn):
    writer = spawn()
    writer.ask("write 10")
    with RingReader.attach(name) as reader, ThreadPoolExecutor(1) as pool:
        assert reader.writer_alive
        waiting = pool.submit(reader.wait, 10, 60)
        killed = time.monotonic()
        writer.kill()
        with pytest.raises(WriterDied):
            waiting.result()
        assert time.monotonic() - killed < 1
        np.testing.assert_array_equal(reader.read(0, 10), frames(0, 10))
        assert not reader.writer_alive
    with RingReader.attach(name) as late:
        np.testing.assert_array_equal(late.latest(10), frames(0, 10))


def test_closing_ends_waits_in_other_processes(name, spawn):
    writer = spawn()
    with RingReader.attach(name) as reader, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.wait, 0, 60)
        writer.ask("close cable pulled")
        with pytest.raises(RingClosed, match="cable pulled"):
            waiting.result()
    writer.ask("unlink")
    assert not folders.folder_of(name).exists()


def test_ring_of_a_killed_writer_is_swept_or_replaced(base):
    for replaced in (False, True):
        writer = WriterProcess("amp", base, 512)
        assert sweep() == []
        writer.end()
        if replaced:
            with RingWriter.create("amp", info(), 10):
                assert sweep() == []
        else:
            assert sweep() == ["amp"]
        assert not list(base.iterdir())


def test_what_is_published_just_before_the_end_is_not_missed(name):
    writer = RingWriter.create(name, info(), 1000)
    with RingReader.attach(name) as reader:
        looks = []

        def ready():
            looks.append(reader.head)
            if len(looks) == 1:  # all of it happens right after the reader's first look
                writer.write(block(0, 5))
                writer.unlink()
            return looks[-1] == 5

        assert reader.await_change(ready, 10)
        assert looks == [0, 5]
