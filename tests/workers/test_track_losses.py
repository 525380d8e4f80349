"""Losses on the way from ring to disk: located, filled in or begun anew, and counted."""

import shutil
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigctl.blocks import Block, BlockFlags, Channel, StreamInfo
from rigctl.peers import going_on
from rigctl.recording.events import read_events
from rigctl.recording.layout import EVENTS
from rigctl.recording.markers import logged_markers
from rigctl.recording.reader import Gap
from tests.recording.making import make_session
from tests.workers.conftest import Deck, Feeds
from tests.workers.making import LOST, Feed, info, numbers
from tests.workers.reading import marks, segments

INFO = info()
SIGNAL = StreamInfo("float32", (2,), Fraction(1000), (Channel("a"), Channel("b")))


# --- gaps


def test_lost_blocks_are_filled_in_marked_flagged_and_counted(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, blocks=2)
    feed.lose(3, 10)
    feed.send(10, blocks=2)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples) == [*range(20), *[LOST] * 30, *range(50, 70)]
    assert stream.gaps == [Gap(20, 30, 0)]
    assert marks(stream, "Comment") == [(20, "GAP 30")]
    assert segments(stream) == [0]
    assert (deck.track.counts.gaps, deck.track.counts.missing_samples) == (1, 30)
    filled = stream.index[stream.index["flags"] & BlockFlags.FILLED != 0]
    assert filled["counter"].tolist() == [2]
    deck.seal()


def test_samples_that_never_came_are_not_a_number_in_a_float_stream(
    deck: Deck, feeds: Feeds
) -> None:
    feed = feeds(SIGNAL)
    for counter in (0, 3):
        feed.ring.write(Block(np.ones((4, 2), "<f4"), counter, 1.0))
    deck.record(feed)
    samples = deck.stream().samples
    assert np.isnan(samples[4:12]).all()
    assert (samples[:4] == 1).all()
    assert (samples[12:] == 1).all()


def test_ten_seconds_are_filled_in_and_more_begins_a_segment(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10)
    feed.lose(1000, 10)
    feed.send(10)
    feed.lose(1001, 10)
    feed.send(10)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples)[10_010:] == [*range(10_010, 10_020), *range(20_030, 20_040)]
    assert segments(stream) == [0, 10_020]
    assert marks(stream, "Comment") == [(10, "GAP 10000"), (10_020, "GAP 10010")]
    assert stream.gaps == [Gap(10, 10_000, 0), Gap(10_020, 0, 10_010)]
    assert deck.track.counts.missing_samples == 20_010


def test_a_new_run_begins_a_segment(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, blocks=2)
    feed.ring.begin_run()
    feed.counter = 0
    feed.send(10, blocks=2)
    deck.record(feed)
    stream = deck.stream()
    assert numbers(stream.samples) == list(range(40))
    assert segments(stream) == [0, 20]
    assert stream.gaps == [Gap(20, 0, 0)]


def test_a_loss_that_the_device_cannot_measure_begins_a_segment(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10)
    feed.send(10, flags=BlockFlags.GAP_BEFORE)
    deck.record(feed)
    assert deck.stream().gaps == [Gap(10, 0, 0)]
    assert segments(deck.stream()) == [0, 10]


def test_a_segment_tells_when_its_first_sample_was_taken(
    deck: Deck, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(going_on.time, "time", lambda: 1_700_000_000.0)
    monkeypatch.setattr(going_on.time, "monotonic", lambda: 500.0)
    feed = feeds(INFO)  # its first block of 10 ms comes at 100.01 s
    feed.send(10, blocks=10)
    feed.ring.begin_run()
    feed.send(20)
    deck.record(feed)
    logged = logged_markers(read_events(deck.session.path / EVENTS).events, "amp")
    begun = [entry.when.timestamp() for entry in logged if entry.when]
    assert begun == pytest.approx([1_699_999_600.0, 1_699_999_600.1], abs=1e-5)


# --- overruns


def test_an_overrun_is_located_filled_in_and_counted(deck: Deck, feeds: Feeds) -> None:
    feed, disk_is_fast = feeds(INFO, 512), threading.Event()
    deck.on_report = lambda: disk_is_fast.wait(10)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    feed.send(10, 3, blocks=200)
    disk_is_fast.set()
    deck.finish()
    stream = deck.stream()
    found = numbers(stream.samples)
    assert len(found) == feed.sent
    assert all(number in (LOST, place) for place, number in enumerate(found))
    (gap,) = stream.gaps
    assert (gap.position, gap.filled) == (10, found.count(LOST))
    assert found[-500:] == list(range(feed.sent - 500, feed.sent))
    counts = deck.track.counts
    assert (counts.overruns, counts.gaps, counts.missing_samples) == (1, 1, gap.filled)
    assert all(found[at] == int(text) for at, text in marks(stream, "Stimulus"))
    filled = stream.index[stream.index["flags"] & BlockFlags.FILLED != 0]
    assert filled["counter"][0] == 1  # the first block that is lost


def test_an_overrun_longer_than_is_filled_in_begins_a_segment(deck: Deck, feeds: Feeds) -> None:
    feed, disk_is_fast = feeds(info(rate_hz=10), 512), threading.Event()
    deck.on_report = lambda: disk_is_fast.wait(10)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    feed.send(10, blocks=200)
    disk_is_fast.set()
    deck.finish()
    stream = deck.stream()
    (gap,) = stream.gaps
    assert (gap.position, gap.filled) == (10, 0)
    assert segments(stream) == [0, 10]
    assert len(stream.samples) + gap.missing == feed.sent
    assert numbers(stream.samples)[10:] == list(range(10 + gap.missing, feed.sent))


def test_what_is_overwritten_before_the_recorder_comes_is_counted(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO, 512)
    feed.send(10, blocks=200)
    deck.record(feed)
    stream = deck.stream()
    (gap,) = stream.gaps
    assert (gap.position, gap.filled) == (0, 0)
    assert len(stream.samples) + gap.missing == feed.sent
    assert numbers(stream.samples) == list(range(gap.missing, feed.sent))
    assert deck.track.counts.overruns == 1


# --- whatever happens

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 3)),
        st.tuples(st.just("lose"), st.integers(1, 30)),
        st.tuples(st.just("lull"), st.just(0)),
        st.tuples(st.just("run"), st.just(0)),
    ),
    max_size=30,
)


@given(ACTIONS)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_all_that_is_sent_is_recorded_or_counted_and_every_marker_is_at_its_sample(
    tmp_path: Path, actions: list[tuple[str, int]]
) -> None:
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    deck, feed = Deck(make_session(tmp_path / "data")), Feed(info(rate_hz=10), 4096)
    feed.send(10, 4)
    for action, number in [*actions, ("send", 1)]:
        match action:
            case "send":
                feed.send(10, *range(3, 3 + number))
            case "lose":  # up to 300 samples; more than 100 are not filled in
                feed.lose(number, 10, lasting=True)
            case "lull":
                feed.send(0)
            case "run":  # what is lost beside it, the numbers and the clock tell
                feed.ring.begin_run()
    deck.record(feed)
    feed.close()
    stream, counts = deck.stream(), deck.track.counts
    found = numbers(stream.samples)
    beside = sum(gap.missing for gap in stream.gaps)
    assert len(found) + beside == feed.sent
    assert counts.missing_samples == found.count(LOST) + beside
    kept = [number for number in found if number != LOST]
    assert kept == sorted(set(kept))
    assert all(found[at] == int(text) for at, text in marks(stream, "Stimulus"))
    assert counts.samples == counts.durable_samples == len(found)
