"""What blocks mean for a recording: whatever is lost, it is filled in or counted where it was."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import BlockFlags
from rigctl.peers.steps import Append, Fill, Measure, Segment, Step
from rigctl.peers.steps import Sequence as Blocks
from rigctl.streams import BlockRecord

LIMIT = 1000
RATE_HZ = Fraction(1000)


def record(
    counter: int,
    first: int,
    points: int = 10,
    run: int = 1,
    flags: BlockFlags = BlockFlags.NONE,
) -> BlockRecord:
    return BlockRecord(counter, first, points, counter / 100, flags, run)


def begun(*blocks: BlockRecord, limit: int = LIMIT) -> Blocks:
    sequence = Blocks(limit, RATE_HZ)
    sequence.steps(blocks)
    return sequence


def test_the_first_block_begins_a_segment() -> None:
    assert Blocks(LIMIT, RATE_HZ).steps([record(7, 30)]) == [
        Segment(0.07, 10, 0),
        Append(30, 40, 7, 0.07),
    ]


def test_blocks_in_a_row_are_one_append_with_the_first_number_and_the_last_time() -> None:
    steps = begun(record(1, 0)).steps([record(2, 10), record(3, 20, 5), record(4, 25)])
    assert steps == [Append(10, 35, 2, 0.04)]


def test_nothing_is_no_step() -> None:
    assert begun(record(1, 0)).steps([]) == []


def test_lost_blocks_are_stood_in_for_before_what_follows() -> None:
    steps = begun(record(1, 0)).steps([record(4, 10), record(5, 20)])
    assert steps == [Fill(20, 2, 0.04), Append(10, 30, 4, 0.05)]


def test_a_loss_within_a_batch_parts_its_appends() -> None:
    steps = begun(record(1, 0)).steps([record(2, 10), record(4, 20)])
    assert steps == [Append(10, 20, 2, 0.02), Fill(10, 3, 0.04), Append(20, 30, 4, 0.04)]


def test_a_loss_longer_than_the_limit_begins_a_segment_and_is_counted() -> None:
    at_limit = begun(record(1, 0), limit=20).steps([record(4, 10)])
    assert at_limit == [Fill(20, 2, 0.04), Append(10, 20, 4, 0.04)]
    beyond = begun(record(1, 0), limit=19).steps([record(4, 10)])
    assert beyond == [Segment(0.04, 10, 20), Append(10, 20, 4, 0.04)]


def test_a_loss_of_unknown_length_begins_a_segment_without_a_count() -> None:
    flagged = record(2, 10, flags=BlockFlags.GAP_BEFORE)
    assert begun(record(1, 0)).steps([flagged]) == [Segment(0.02, 10, 0), Append(10, 20, 2, 0.02)]
    # No block had a sample yet, so that nobody knows how many the lost ones had.
    assert begun(record(1, 0, 0)).steps([record(4, 0, 0)]) == [Segment(0.04, 0, 0)]


def test_a_loss_that_is_flagged_and_shows_in_the_numbers_is_one_loss() -> None:
    flagged = record(3, 10, flags=BlockFlags.GAP_BEFORE)
    assert begun(record(1, 0)).steps([flagged]) == [Fill(10, 2, 0.03), Append(10, 20, 3, 0.03)]


def test_a_new_run_begins_a_segment_whatever_the_numbers() -> None:
    other = record(2, 10, run=2)
    assert begun(record(1, 0)).steps([other]) == [Segment(0.02, 10, 0), Append(10, 20, 2, 0.02)]
    flagged = record(0, 10, flags=BlockFlags.NEW_RUN)
    steps = begun(record(1, 0)).steps([flagged])
    assert steps == [Segment(0.0, 10, 0, Measure.CLOCK), Append(10, 20, 0, 0.0)]


def test_a_run_that_begins_without_samples_begins_one_segment() -> None:
    steps = begun(record(1, 0)).steps([record(2, 10, 0, run=2), record(3, 10, run=2)])
    assert steps == [Segment(0.02, 0, 0), Append(10, 20, 3, 0.03)]


def test_blocks_without_samples_are_no_step_and_no_loss() -> None:
    sequence = begun(record(1, 0))
    assert sequence.steps([record(2, 10, 0)]) == []
    assert sequence.steps([record(3, 10)]) == [Append(10, 20, 3, 0.03)]


def test_a_loss_after_a_block_without_samples_has_the_length_of_those_before() -> None:
    sequence = begun(record(1, 0), record(2, 10, 0))
    assert sequence.steps([record(5, 10)]) == [Fill(20, 3, 0.05), Append(10, 20, 5, 0.05)]


def test_pieces_of_a_block_have_its_number_and_are_no_loss() -> None:
    pieces = [record(2, 10, 4), record(2, 14, 4), record(2, 18, 2)]
    assert begun(record(1, 0)).steps(pieces) == [Append(10, 20, 2, 0.02)]


def test_a_block_is_as_long_as_its_pieces_together() -> None:
    sequence = begun(record(1, 0, 4), record(1, 4, 4), record(1, 8, 2))
    assert sequence.steps([record(3, 10, 4)]) == [Fill(10, 2, 0.03), Append(10, 14, 3, 0.03)]


def test_an_overrun_is_a_loss_of_known_length_that_is_not_counted_twice() -> None:
    sequence = begun(record(1, 0))
    sequence.overrun(samples=30, blocks=3)
    assert sequence.steps([record(5, 40)]) == [Fill(30, 2, 0.05), Append(40, 50, 5, 0.05)]
    assert sequence.steps([record(6, 50)]) == [Append(50, 60, 6, 0.06)]


def test_blocks_lost_beside_an_overrun_are_counted_as_well() -> None:
    sequence = begun(record(1, 0))
    sequence.overrun(samples=30, blocks=3)
    assert sequence.steps([record(7, 40)]) == [Fill(50, 2, 0.07), Append(40, 50, 7, 0.07)]


def test_an_overrun_before_the_first_block_or_a_new_run_is_counted() -> None:
    sequence = Blocks(LIMIT, RATE_HZ)
    sequence.overrun(samples=30, blocks=3)
    assert sequence.steps([record(4, 30)])[0] == Segment(0.04, 10, 30)
    sequence.overrun(samples=20, blocks=2)
    assert sequence.steps([record(7, 60, run=2)])[0] == Segment(0.07, 10, 20)


# --- whatever happens


class Fate(Enum):
    """What becomes of a block of the source."""

    KEPT = "it is read from the ring"
    LOST = "it never comes into the ring"
    LAPPED = "it is overwritten in the ring before it is read"


@dataclass
class Model:
    """A source, a ring and a recording that carries out steps."""

    limit: int
    sent: int = 0
    ring: list[int] = field(default_factory=list)
    """The number of every sample that came into the ring."""
    recorded: list[int | None] = field(default_factory=list)
    """The number of every sample in the recording; None for one that is filled in."""
    missing: int = 0

    def into_ring(self, points: int) -> int:
        first = len(self.ring)
        self.ring += range(self.sent, self.sent + points)
        self.sent += points
        return first

    def carry_out(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Append(start, stop):
                    assert start < stop
                    self.recorded += self.ring[start:stop]
                case Fill(count):
                    assert 0 < count <= self.limit
                    self.recorded += [None] * count
                case Segment(missing=missing):
                    assert missing == 0 or missing > self.limit or not self.recorded
                    self.missing += missing

    @property
    def kept(self) -> list[int]:
        return [number for number in self.recorded if number is not None]


def play(fates: Sequence[tuple[Fate, int]], limit: int, batches: Sequence[bool]) -> Model:
    """Send blocks, each with its fate and its size, and record them batch after batch."""
    model, sequence = Model(limit), Blocks(limit, RATE_HZ)
    batch: list[BlockRecord] = []
    for counter, ((fate, points), ends_batch) in enumerate(zip(fates, batches, strict=False)):
        if fate is Fate.LOST:
            model.sent += points
            continue
        first = model.into_ring(points)
        if fate is Fate.KEPT:
            batch.append(record(counter, first, points))
        if ends_batch or fate is Fate.LAPPED:
            model.carry_out(sequence.steps(batch))
            batch = []
        if fate is Fate.LAPPED:
            sequence.overrun(points, 1)
    model.carry_out(sequence.steps(batch))
    return model


FATES = st.lists(st.sampled_from(Fate), max_size=40)
BATCHES = st.lists(st.booleans(), min_size=42, max_size=42)


@given(FATES, st.integers(1, 20), st.integers(0, 200), BATCHES)
def test_whatever_is_lost_written_filled_and_missing_are_what_was_sent(
    fates: list[Fate], points: int, limit: int, batches: list[bool]
) -> None:
    fates = [Fate.KEPT, *fates, Fate.KEPT]
    model = play([(fate, points) for fate in fates], limit, batches)
    assert len(model.recorded) + model.missing == model.sent == len(fates) * points
    assert len(model.kept) == fates.count(Fate.KEPT) * points
    assert model.kept == sorted(set(model.kept))


@given(FATES, st.integers(1, 20), BATCHES)
def test_while_losses_are_filled_in_every_sample_stands_at_its_number(
    fates: list[Fate], points: int, batches: list[bool]
) -> None:
    fates = [Fate.KEPT, *fates, Fate.KEPT]
    model = play([(fate, points) for fate in fates], 10**6, batches)
    assert model.missing == 0
    assert all(number in (None, place) for place, number in enumerate(model.recorded))


@given(st.lists(st.tuples(st.sampled_from([Fate.KEPT, Fate.LAPPED]), st.integers(0, 20))), BATCHES)
def test_an_overrun_is_counted_exactly_however_the_sizes_vary(
    fates: list[tuple[Fate, int]], batches: list[bool]
) -> None:
    fates = [(Fate.KEPT, 5), *fates[:40], (Fate.KEPT, 5)]
    model = play(fates, 10**6, batches)
    assert all(number in (None, place) for place, number in enumerate(model.recorded))
    assert len(model.recorded) == model.sent


@given(FATES, BATCHES)
def test_what_is_lapped_before_the_first_block_is_missing(
    fates: list[Fate], batches: list[bool]
) -> None:
    fates = [Fate.LAPPED, *fates, Fate.KEPT]
    before_first = fates.index(Fate.KEPT)
    model = play([(fate, 10) for fate in fates], 10**6, batches)
    assert model.missing == 10 * fates[:before_first].count(Fate.LAPPED)
    assert len(model.recorded) == 10 * (len(fates) - before_first)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=30))
def test_blocks_in_pieces_and_losses_between_them(blocks: list[tuple[int, bool]]) -> None:
    """Each block of 12 samples comes in one to four pieces, or is lost."""
    blocks = [(0, False), *blocks, (0, False)]
    model, sequence = Model(10**6), Blocks(10**6, RATE_HZ)
    for counter, (cuts, is_lost) in enumerate(blocks):
        if is_lost:
            model.sent += 12
            continue
        for _ in range(cuts + 1):
            points = 12 // (cuts + 1)
            first = model.into_ring(points)
            model.carry_out(sequence.steps([record(counter, first, points)]))
    assert len(model.recorded) == model.sent
    assert all(number in (None, place) for place, number in enumerate(model.recorded))
