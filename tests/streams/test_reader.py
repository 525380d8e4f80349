import asyncio

import numpy as np
import pytest

from rigctl import processes
from rigctl.errors import NotYet, Overrun, RingClosed, RingError, WriterDied
from rigctl.streams import RingReader, RingWriter, layout, sweep
from tests.streams.making import abandon, block, frames, info


def fill(writer: RingWriter, total: int, points: int = 50) -> None:
    for start in range(writer.head, total, points):
        writer.write(block(start, min(points, total - start)))


def test_view_shows_without_copying(ring):
    writer, reader = ring
    fill(writer, 100)
    with reader.view(10, 20) as view:
        np.testing.assert_array_equal(view, frames(10, 20))
        assert not view.flags.owndata
        assert not view.flags.writeable


def test_view_across_the_end_is_contiguous(ring):
    writer, reader = ring
    fill(writer, reader.capacity + 40)
    start, stop = reader.capacity - 30, reader.capacity + 30
    with reader.view(start, stop) as view:
        assert view.flags.c_contiguous
        np.testing.assert_array_equal(view, frames(start, stop))


def test_whole_ring_can_be_read(ring):
    writer, reader = ring
    fill(writer, 2 * reader.capacity + 33)
    assert reader.head - reader.tail == reader.capacity
    np.testing.assert_array_equal(
        reader.read(reader.tail, reader.head), frames(reader.tail, reader.head)
    )


def test_future_samples_are_not_there_yet(ring):
    writer, reader = ring
    fill(writer, 10)
    with pytest.raises(NotYet, match="there are 10"):
        reader.read(5, 11)
    with pytest.raises(NotYet), reader.view(11, 11):
        pass


def test_overwritten_samples_are_gone(ring):
    writer, reader = ring
    fill(writer, reader.capacity + 100)
    with pytest.raises(Overrun) as caught:
        reader.read(99, 120)
    assert caught.value.tail == reader.tail == 100
    with pytest.raises(Overrun), reader.view(0, 1):
        pass


def test_view_that_is_overwritten_meanwhile_says_so_at_the_end(ring):
    writer, reader = ring
    fill(writer, 50)
    with pytest.raises(Overrun), reader.view(0, 10):
        fill(writer, reader.capacity + 50)


def test_failure_inside_of_a_view_is_not_hidden(ring):
    writer, reader = ring
    fill(writer, 50)
    with pytest.raises(KeyError), reader.view(0, 10):
        fill(writer, reader.capacity + 50)
        raise KeyError


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 2)])
def test_what_is_no_range_is_refused(ring, start, stop):
    writer, reader = ring
    fill(writer, 10)
    with pytest.raises(ValueError, match="no range"):
        reader.read(start, stop)


def test_empty_range_has_no_samples(ring):
    writer, reader = ring
    fill(writer, 10)
    assert reader.read(10, 10).shape == (0, 2)


def test_latest_are_as_many_as_there_are(ring):
    writer, reader = ring
    assert reader.latest(10).shape == (0, 2)
    fill(writer, 30)
    np.testing.assert_array_equal(reader.latest(10), frames(20, 30))
    assert len(reader.latest(100)) == 30
    assert len(reader.latest(0)) == 0
    fill(writer, 3 * reader.capacity)
    assert len(reader.latest(10 * reader.capacity)) == reader.capacity


def test_wait_tells_whether_the_sample_is_there(ring):
    writer, reader = ring
    fill(writer, 10)
    assert reader.wait(9, 0.0)
    assert not reader.wait(10, 0.01)


def test_closed_ring_is_told_after_what_was_published(ring):
    writer, reader = ring
    fill(writer, 10)
    reader.check()
    writer.close("done for today")
    assert reader.closed
    assert reader.wait(9, 60)
    with pytest.raises(RingClosed, match="done for today"):
        reader.wait(10, 60)
    with pytest.raises(RingClosed):
        reader.check()
    np.testing.assert_array_equal(reader.read(0, 10), frames(0, 10))


def test_removed_ring_stays_readable_and_is_told_closed(name):
    with RingWriter.create(name, info(), 100) as writer:
        fill(writer, 10)
        reader = RingReader.attach(name)
    with pytest.raises(RingClosed):
        reader.wait(10, 60)
    with pytest.raises(RingClosed):
        reader.fileno()
    np.testing.assert_array_equal(reader.read(0, 10), frames(0, 10))
    reader.close()


@pytest.mark.parametrize("swept", [False, True])
def test_dead_writer_is_told_after_what_was_published(base, swept):
    writer = RingWriter.create("amp", info(), 100)
    fill(writer, 10)
    abandon(writer._folder)
    with RingReader.attach("amp") as reader:
        if swept:
            assert sweep() == ["amp"]
        assert not reader.writer_alive
        assert reader.wait(9, 60)
        with pytest.raises(WriterDied, match="gone"):
            reader.wait(10, 60)
        np.testing.assert_array_equal(reader.read(0, 10), frames(0, 10))


def test_two_readers_do_not_disturb_each_other(ring):
    writer, first = ring
    with RingReader.attach(writer.name) as second:
        one, two = first.cursor(), second.cursor()
        fill(writer, 200)
        assert first.wait(0, 60) and second.wait(0, 60)
        assert one.read(1000).stop == 200
        first.close()
        fill(writer, 300)
        assert second.wait(299, 60)
        assert two.read(1000).stop == 300


def test_order_by_lock_serves_as_well(name, monkeypatch):
    monkeypatch.setattr(layout, "TOTAL_STORE_ORDER", False)
    with RingWriter.create(name, info(), 100) as writer, RingReader.attach(name) as reader:
        cursor = reader.cursor()
        fill(writer, writer.capacity)
        assert reader.wait(writer.capacity - 1, 60)
        np.testing.assert_array_equal(reader.latest(10), frames(reader.head - 10, reader.head))
        assert cursor.read(1000).stop == writer.capacity


async def test_event_loop_is_woken(ring):
    writer, reader = ring
    loop, changed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(reader.fileno(), changed.set)
    for total in (50, 100):
        fill(writer, total)
        await asyncio.wait_for(changed.wait(), 60)
        reader.drain()
        changed.clear()
        assert reader.head == total
    loop.remove_reader(reader.fileno())


def test_writer_is_found_dead_where_the_system_does_not_tell(name, spawn, monkeypatch):
    monkeypatch.setattr(processes, "_pidfd", lambda pid: None)
    writer = spawn()
    with RingReader.attach(name) as reader:
        writer.kill()
        with pytest.raises(WriterDied):
            reader.wait(0, 60)


@pytest.mark.parametrize("has_waited", [False, True])
def test_closed_reader_waits_for_nothing_and_still_reads(ring, name, has_waited):
    writer, _ = ring
    writer.write(block(0, 5))
    reader = RingReader.attach(name)
    if has_waited:
        assert not reader.wait(5, 0.0)
    reader.close()
    assert reader.wait(4, 60)
    with pytest.raises(RingError, match="closed"):
        reader.wait(5, 60)
    np.testing.assert_array_equal(reader.read(0, 5), frames(0, 5))
