import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigctl.blocks import Block, BlockFlags, Marker
from rigctl.errors import NotYet, Overrun, RingClosed
from rigctl.streams import RingReader, RingWriter
from tests.streams.making import block, frames, info


def fill(writer: RingWriter, total: int, points: int = 50) -> None:
    for start in range(writer.head, total, points):
        writer.write(block(start, min(points, total - start), counter=start // points))


def mark(position: int, text: str = "") -> Marker:
    return Marker(position, "Comment", text)


def test_blocks_follow_in_order_and_whole(ring):
    writer, reader = ring
    cursor = reader.cursor()
    assert cursor.read(100) is None
    for start, points in ((0, 30), (30, 30), (60, 50)):
        writer.write(block(start, points, counter=points))
    batch = cursor.read(70)
    assert (batch.start, batch.stop, cursor.position, cursor.lag) == (0, 60, 60, 50)
    assert [(record.first, record.points) for record in batch.blocks] == [(0, 30), (30, 30)]
    batch = cursor.read(1)
    assert (batch.start, batch.stop) == (60, 110)
    assert cursor.read(100) is None


def test_batch_is_a_copy_of_its_own(ring):
    writer, reader = ring
    cursor = reader.cursor()
    fill(writer, 50)
    batch = cursor.read(50)
    fill(writer, 3 * reader.capacity)
    np.testing.assert_array_equal(batch.samples, frames(0, 50))


def test_blocks_without_samples_are_not_passed_over(ring):
    writer, reader = ring
    cursor = reader.cursor()
    writer.write(block(0, 0, 1, (mark(0, "a"),)))
    assert cursor.wait(60)
    batch = cursor.read(10)
    assert (len(batch.samples), batch.blocks[0].points, batch.markers) == (0, 0, (mark(0, "a"),))
    writer.write(block(0, 5, 2))
    writer.write(block(5, 0, 3, (mark(0, "b"),)))
    batch = cursor.read(5)
    assert [record.counter for record in batch.blocks] == [2, 3]
    assert batch.markers == (mark(5, "b"),)
    assert cursor.read(5) is None


def test_many_blocks_without_samples_come_in_bounded_batches(ring):
    writer, reader = ring
    cursor = reader.cursor()
    for counter in range(1024):
        writer.write(block(0, 0, counter))
    writer.write(block(0, 1, 1024))
    with pytest.raises(Overrun) as caught:
        cursor.read(10)
    assert caught.value.tail == 0
    cursor.skip_to(0)
    assert cursor.lost == 0
    skipped = cursor.lost_blocks
    assert 1 <= skipped < 200
    counters = [record.counter for record in cursor.read(10).blocks]
    assert counters == list(range(skipped, 1025))


def test_cursor_from_the_beginning_reads_all(ring):
    writer, reader = ring
    writer.write(block(0, 0, 1, (mark(-3, "early"),)))
    fill(writer, 100)
    batch = reader.cursor(0).read(1000)
    assert (batch.start, batch.stop, len(batch.blocks)) == (0, 100, 3)
    assert batch.markers == (mark(-3, "early"),)


def test_cursor_from_now_on_reads_what_follows(ring):
    writer, reader = ring
    fill(writer, 100)
    writer.write(block(100, 0, 9, (mark(0),)))
    cursor = reader.cursor()
    assert cursor.read(10) is None
    fill(writer, 110)
    assert cursor.read(100).start == 100


def test_start_inside_of_a_block_cuts_it(ring):
    writer, reader = ring
    flags = BlockFlags.GAP_BEFORE | BlockFlags.FILLED
    fill(writer, 50)
    writer.write(block(50, 50, 7, (mark(5, "before"), mark(20, "on"), mark(30, "after")), flags))
    writer.write(block(100, 50, 8, (mark(-40, "late"),)))
    batch = reader.cursor(70).read(1000)
    np.testing.assert_array_equal(batch.samples, frames(70, 150))
    assert [(r.counter, r.first, r.points) for r in batch.blocks] == [(7, 70, 30), (8, 100, 50)]
    assert batch.blocks[0].flags == BlockFlags.FILLED
    assert [marker.description for marker in batch.markers] == ["on", "after", "late"]


@pytest.mark.parametrize("start", [0, 1, 49, 50, 99, 100])
def test_cursor_starts_at_any_sample(ring, start):
    writer, reader = ring
    fill(writer, 100)
    cursor = reader.cursor(start)
    fill(writer, 200)
    assert (cursor.position, cursor.lag) == (start, 200 - start)
    batch = cursor.read(1000)
    assert (batch.start, batch.stop) == (start, 200)
    assert sum(record.points for record in batch.blocks) == 200 - start


def test_block_without_samples_at_the_start_belongs_to_it(ring):
    writer, reader = ring
    fill(writer, 50)
    writer.write(block(50, 0, 9, (mark(0),)))
    fill(writer, 100)
    assert [record.counter for record in reader.cursor(50).read(100).blocks] == [9, 1]


def test_start_that_is_not_there_is_refused(ring):
    writer, reader = ring
    fill(writer, 100)
    with pytest.raises(NotYet):
        reader.cursor(101)
    fill(writer, reader.capacity + 75)
    with pytest.raises(Overrun) as caught:
        reader.cursor(74)
    assert caught.value.tail == 100
    assert reader.cursor(75).read(10).stop == 100


def test_start_whose_record_is_overwritten_is_refused(name):
    with RingWriter.create(name, info(), 5000) as writer, RingReader.attach(name) as reader:
        for start in range(10):
            writer.write(block(start, 1))
        for _ in range(writer._segment.head.plan.block_slots):
            writer.write(block(10, 0))
        with pytest.raises(Overrun):
            reader.cursor(5)


def test_lapped_cursor_says_so_and_counts_what_it_skips(ring):
    writer, reader = ring
    cursor = reader.cursor()
    fill(writer, 50)
    cursor.read(50)
    fill(writer, 3 * reader.capacity + 10)
    with pytest.raises(Overrun) as caught:
        cursor.read(1000)
    tail = caught.value.tail
    assert reader.tail <= tail < reader.tail + 50
    cursor.skip_to(tail)
    assert (cursor.position, cursor.lost) == (tail, tail - 50)
    batch = cursor.read(10_000)
    assert (batch.start, batch.stop) == (tail, reader.head)
    np.testing.assert_array_equal(batch.samples, frames(tail, reader.head))
    assert cursor.lost + 50 + len(batch.samples) == reader.head


def test_cursor_whose_markers_are_overwritten_says_so(ring):
    writer, reader = ring
    cursor = reader.cursor()
    for start in range(4):
        writer.write(block(start, 1, markers=(mark(0, str(start) * 400_000),)))
    with pytest.raises(Overrun) as caught:
        cursor.read(1)
    cursor.skip_to(caught.value.tail)
    assert (cursor.lost, cursor.lost_blocks) == (2, 2)
    assert [marker.position for marker in cursor.read(10).markers] == [2, 3]


def test_skipping_goes_to_whole_blocks_and_never_back(ring):
    writer, reader = ring
    fill(writer, 200)
    cursor = reader.cursor(0)
    cursor.skip_to(51)
    assert (cursor.position, cursor.lost) == (100, 100)
    cursor.skip_to(0)
    assert cursor.position == 100
    cursor.skip_to(10_000)
    assert (cursor.position, cursor.lost, cursor.lost_blocks) == (200, 200, 4)
    assert cursor.read(10) is None


def test_all_is_read_before_the_end_is_told(ring):
    writer, reader = ring
    cursor = reader.cursor()
    fill(writer, 10)
    writer.write(block(10, 0, 5, (mark(0),)))
    writer.close()
    assert cursor.wait(60)
    assert cursor.read(10).blocks[-1].points == 0
    with pytest.raises(RingClosed):
        cursor.wait(60)


def test_wait_without_a_block_ends_in_time(ring):
    _, reader = ring
    assert not reader.cursor().wait(0.01)


BLOCKS = st.lists(
    st.tuples(st.integers(0, 200), st.lists(st.text(max_size=3), max_size=2), st.integers(1, 300)),
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(plan=BLOCKS)
def test_nothing_is_lost_or_doubled(base, plan):
    """Whatever is written and however much is read at once, the pieces make up the whole."""
    with RingWriter.create("amp", info(), 512) as writer, RingReader.attach("amp") as reader:
        cursor, written, read, told = reader.cursor(), [], [], []
        for counter, (points, texts, max_frames) in enumerate(plan):
            markers = tuple(mark(points // 2, text) for text in texts)
            written += [mark(writer.head + points // 2, text) for text in texts]
            writer.write(Block(frames(writer.head, writer.head + points), counter, 0.0, markers))
            batch = cursor.read(max_frames)
            while batch is not None and (len(read) % 3 or cursor.lag > 200):
                read.append(batch)
                told += batch.markers
                batch = cursor.read(max_frames)
            if batch is not None:
                read.append(batch)
                told += batch.markers
        while (batch := cursor.read(100)) is not None:
            read.append(batch)
            told += batch.markers
        samples = [batch.samples for batch in read] or [frames(0, 0)]
        np.testing.assert_array_equal(np.concatenate(samples), frames(0, writer.head))
        assert [r.counter for batch in read for r in batch.blocks] == list(range(len(plan)))
        assert told == written
        assert cursor.lost == 0
