from fractions import Fraction

import numpy as np
import pytest

from rigctl.blocks import Marker
from rigctl.errors import NotYet, Overrun, RingError, WriterDied
from rigctl.streams import Ring
from tests.streams.making import abandon, frames, info


@pytest.fixture
def pair(name):
    """A writer and a user's ring of at least 512 frames that tell their index."""
    with Ring.create(name, info(), 512) as writer, Ring.attach(name) as ring:
        yield writer, ring


def fill(writer, total: int) -> None:
    for start in range(writer.head, total, 50):
        writer.append(frames(start, min(start + 50, total)))


def test_indices_are_those_of_one_endless_array(pair):
    writer, ring = pair
    total = 3 * ring.capacity + 17
    fill(writer, total)
    assert (ring.head, ring.tail) == (total, total - ring.capacity)
    whole = frames(0, total)
    for key in (
        slice(total - 30, total - 10),
        slice(-30, -10),
        slice(-30, None),
        slice(-30, None, 7),
        (slice(-30, None), 1),
        (slice(-30, None), slice(0, 1)),
        (slice(-30, None), [1, 0]),
        total - 1,
        -1,
        (-1, 1),
        np.int64(-5),
    ):
        np.testing.assert_array_equal(ring[key], whole[key])
    np.testing.assert_array_equal(ring[:], whole[ring.tail :])
    np.testing.assert_array_equal(ring.get(), whole[ring.tail :])


def test_counting_back_beyond_the_first_sample_is_not_yet(pair):
    writer, ring = pair
    assert ring[:].shape == ring.get().shape == (0, 2)
    for total in (0, 3):
        fill(writer, total)
        for key in (-total - 1, slice(-total - 1, None), slice(0, -total - 1)):
            with pytest.raises(NotYet, match=f"there are {total}"):
                ring[key]
        with pytest.raises(NotYet):
            ring.get(-total - 1)


def test_what_is_chosen_is_a_copy_of_its_own(pair):
    writer, ring = pair
    fill(writer, 50)
    got, one = ring[10:20, 0], ring[10]
    fill(writer, 3 * ring.capacity)
    np.testing.assert_array_equal(got, np.arange(10, 20))
    assert one.tolist() == [10, ~10]
    assert got.flags.writeable


def test_what_is_not_there_is_told_not_cut(pair):
    writer, ring = pair
    fill(writer, ring.capacity + 100)
    for key in (slice(0, 10), 0, slice(50, None), -ring.capacity - 1):
        with pytest.raises(Overrun):
            ring[key]
    for key in (slice(0, ring.head + 1), ring.head, slice(-5, ring.head + 1)):
        with pytest.raises((NotYet, Overrun)):
            ring[key]
    with pytest.raises(ValueError, match="forwards"):
        ring[::-1]


def test_samples_are_copied_to_where_they_are_wanted(pair):
    writer, ring = pair
    fill(writer, 100)
    out = np.zeros((20, 2), np.float64)
    assert ring.get(-20, out=out) is out
    np.testing.assert_array_equal(out, frames(80, 100))
    with pytest.raises(ValueError, match="do not fit"):
        ring.get(-1, out=out)


def test_who_holds_an_array_of_the_ring_can_tell_whether_it_was_overwritten(pair):
    writer, ring = pair
    fill(writer, 100)
    held = ring.get(40, 60, copy=False)
    assert not held.flags.owndata and not held.flags.writeable
    fill(writer, ring.capacity + 40)
    assert ring.holds(40)
    np.testing.assert_array_equal(held, frames(40, 60))
    fill(writer, ring.capacity + 41)
    assert not ring.holds(40)
    with pytest.raises(Overrun):
        ring.check_holds(40)


def test_cursor_yields_all_blocks_until_the_ring_is_closed(pair):
    writer, ring = pair
    cursor = ring.cursor()
    fill(writer, 200)
    writer.append(frames(200, 203), (Marker(1, "Stimulus", "S  1"),))
    writer.close("done")
    batches = list(cursor)
    np.testing.assert_array_equal(np.concatenate([b.samples for b in batches]), frames(0, 203))
    assert [m for b in batches for m in b.markers] == [Marker(201, "Stimulus", "S  1")]
    assert (cursor.lag, cursor.lost) == (0, 0)


def test_cursor_that_is_lapped_goes_on_and_counts(pair):
    writer, ring = pair
    slow, fast = ring.cursor(), ring.cursor()
    fill(writer, 50)
    assert next(iter(fast)).stop == 50
    fill(writer, 2 * ring.capacity)
    writer.close()
    read = sum(len(batch.samples) for batch in slow)
    assert read + slow.lost == ring.head
    assert slow.lost >= ring.capacity
    assert slow.lost - fast.lost == slow.lost  # each counts its own
    sum(1 for _ in fast)
    assert slow.lost == fast.lost + 50


def test_iteration_tells_of_a_writer_that_died(base):
    writer = Ring.create("amp", info(), 512)
    fill(writer, 100)
    abandon(writer._folder)
    with Ring.attach("amp") as ring:
        batches = iter(ring.cursor(0))
        assert next(batches).stop == 100
        with pytest.raises(WriterDied):
            next(batches)


def test_shown_batch_is_not_a_copy_and_is_checked_at_the_end(pair):
    writer, ring = pair
    cursor = ring.cursor()
    fill(writer, 100)
    with cursor.view(60) as batch:
        assert not batch.samples.flags.owndata
        np.testing.assert_array_equal(batch.samples, frames(0, 50))
        assert [record.points for record in batch.blocks] == [50]
        assert cursor.position == 0
    assert cursor.position == 50
    with pytest.raises(Overrun), cursor.view(60):
        fill(writer, 2 * ring.capacity)
    assert cursor.position == 50
    cursor.skip_to(ring.head)
    with cursor.view(60) as batch:
        assert batch is None


def test_failure_inside_of_a_shown_batch_is_not_hidden_and_nothing_passed(pair):
    writer, ring = pair
    cursor = ring.cursor()
    fill(writer, 50)
    with pytest.raises(KeyError), cursor.view(60):
        raise KeyError
    assert cursor.read(60).stop == 50


EVENTS = np.dtype([("code", "i4"), ("text", "S8"), ("place", "f8", (2,))])


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        (EVENTS, ()),
        (np.dtype("u1,f8", align=True), (3,)),
        ("datetime64[ns]", ()),
        ("S5", (2,)),
        ("bool", (4,)),
        ("complex64", (2,)),
        ("uint16", ()),
        ("uint8", (48, 64, 3)),
    ],
)
def test_frames_of_any_dtype_and_shape(name, dtype, shape):
    rng, dtype = np.random.default_rng(3), np.dtype(dtype)
    raw = rng.integers(0, 2 if dtype.kind == "b" else 100, (40, *shape, dtype.itemsize), np.uint8)
    samples = np.ascontiguousarray(raw).view(dtype)[..., 0]
    with Ring.create(name, dtype, 200, shape=shape, rate_hz=29.97) as writer:
        with Ring.attach(name) as ring:
            assert ring.info.numpy_dtype == dtype.newbyteorder("<")
            assert ring.info.rate_hz == Fraction(2997, 100)
            for _ in range(10):  # more than the ring holds
                writer.append(samples)
                writer.append(samples[:1])
            got = ring[-41:-1]
            assert (got.dtype, got.shape) == (samples.dtype, samples.shape)
            assert np.array_equal(got, samples)


@pytest.mark.parametrize("dtype", ["O", np.dtype(("f4", (2, 3))), np.dtype("V0")])
def test_what_cannot_be_shared_is_refused(name, dtype):
    with pytest.raises(RingError, match="cannot be shared"):
        Ring.create(name, dtype, 100)


def test_waiting_for_a_sample(pair):
    writer, ring = pair
    fill(writer, 10)
    assert ring.wait_for(9, 0.0)
    assert not ring.wait_for(10, 0.01)
