import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigctl.blocks import Block, BlockFlags, Burst, Marker
from rigctl.errors import RingClosed, RingError
from rigctl.streams import RingReader, RingWriter
from tests.streams.making import block, frames, info

ITEMS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from([1, 2, 7, 64, 300, 1100]),
        st.sampled_from([BlockFlags.NONE, BlockFlags.GAP_BEFORE, BlockFlags.FILLED]),
        st.booleans(),
    ),
    max_size=8,
)


def burst(start: int, blocks: int, points: int, counter: int = 0, **more) -> Burst:
    """A burst of frames that tell their index, strided as received ones are."""
    padded = np.zeros((blocks, points + 3, 2), np.int64)
    padded[:, 2:-1] = frames(start, start + blocks * points).reshape(blocks, points, 2)
    return Burst(padded[:, 2:-1], counter, start / 1000, **more)


def singly(item: Burst) -> list[Block]:
    """What a burst stands for."""
    return [
        Block(samples, item.counter + n, item.arrival_s, (), BlockFlags.NONE if n else item.flags)
        for n, samples in enumerate(item.samples)
    ]


def everything(ring: RingReader) -> tuple:
    """All that readers can see of a ring, but when its writer last worked."""
    head = ring._head
    first = head.tails.blocks
    rows = ring._segment.table.rows(first, head.blocks)
    samples = ring.latest(ring.capacity).tolist()
    return head.tails, head.samples, head.blocks, ring.last_arrival_s, rows, samples


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(plan=ITEMS)
def test_burst_is_what_its_blocks_are(base, mirrored, plan):
    with (
        RingWriter.create("one", info(), 512, mirrored=mirrored) as one,
        RingWriter.create("many", info(), 512, mirrored=mirrored) as many,
        RingReader.attach("one") as seen_one,
        RingReader.attach("many") as seen_many,
    ):
        for counter, (blocks, points, flags, begins) in enumerate(plan):
            if begins:
                one.begin_run()
                many.begin_run()
            item = burst(one.head, blocks, points, 100 * counter, flags=flags)
            one.write_burst(item)
            for single in singly(item):
                many.write(single)
            mark = block(one.head, 1, markers=(Marker(0, "Comment", "x"),))
            one.write(mark)
            many.write(mark)
            assert everything(seen_one) == everything(seen_many)
            got = seen_one.latest(seen_one.capacity)
            np.testing.assert_array_equal(got, frames(one.head - len(got), one.head))


def test_burst_of_more_blocks_than_there_are_records_is_published_in_pieces(name):
    with RingWriter.create(name, info(), 6000) as writer, RingReader.attach(name) as reader:
        cursor, seen = reader.cursor(), []
        writer._most_blocks = 500
        writer._bells.ring = lambda: seen.append(cursor.read(10_000))
        writer.begin_run()
        writer.write_burst(burst(0, 1234, 2, 7, flags=BlockFlags.GAP_BEFORE))
        assert [len(batch.blocks) for batch in seen] == [500, 500, 234]
        records = [record for batch in seen for record in batch.blocks]
        assert [record.counter for record in records] == list(range(7, 1241))
        assert records[0].flags == BlockFlags.GAP_BEFORE | BlockFlags.NEW_RUN
        assert {record.flags for record in records[1:]} == {BlockFlags.NONE}
        np.testing.assert_array_equal(
            np.concatenate([batch.samples for batch in seen]), frames(0, 2468)
        )


def test_burst_of_more_than_the_ring_is_published_in_pieces(ring):
    writer, reader = ring
    cursor, seen = reader.cursor(), []
    writer._bells.ring = lambda: seen.append(cursor.read(10_000))
    writer.write_burst(burst(0, 30, 50))
    assert all(len(batch.samples) <= reader.capacity // 2 for batch in seen)
    np.testing.assert_array_equal(
        np.concatenate([batch.samples for batch in seen]), frames(0, 1500)
    )


def test_one_wake_up_serves_a_whole_burst(ring):
    writer, _ = ring
    rung = []
    writer._bells.ring = lambda: rung.append(writer.head)
    writer.write_burst(burst(0, 20, 10))
    assert rung == [200]


def test_burst_of_another_layout_is_refused_whole(ring):
    writer, reader = ring
    for samples in (np.zeros((4, 5, 3), np.int64), np.zeros((4, 5, 2), np.int32)):
        with pytest.raises(RingError, match="int64 frames of"):
            writer.write_burst(Burst(samples, 0, 0.0))
    assert reader.head == 0


def test_closed_ring_takes_no_burst(ring):
    writer, _ = ring
    writer.close()
    with pytest.raises(RingClosed):
        writer.write_burst(burst(0, 3, 4))
