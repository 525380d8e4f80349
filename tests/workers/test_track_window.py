"""A window [start, stop) of a stream: exactly its samples, however late its orders come."""

import math
import shutil
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rigctl.peers import window as window_module
from rigctl.recording.reader import Gap
from tests.recording.making import make_session
from tests.workers.conftest import Deck, Decks, Feeds
from tests.workers.making import LOST, Feed, info, numbers
from tests.workers.reading import marks, segments

INFO = info()


def when(sample: float, begin_s: float = 100.0) -> float:
    """When a sample of a feed that loses nothing was taken."""
    return begin_s + (sample + 1) / 1000


def recorded(deck: Deck, folder: str = "amp") -> list[int]:
    return numbers(deck.stream(folder).samples)


# --- start


def test_a_start_in_the_rings_past_begins_with_its_sample(decks: Decks, feeds: Feeds) -> None:
    deck, feed = decks(when(122.75)), feeds(INFO)
    feed.send(10, 0, 3, blocks=50)
    deck.record(feed)
    assert recorded(deck) == list(range(123, 500))
    assert deck.track.counts.positions == {"amp": (pytest.approx(-0.25), None)}
    assert marks(deck.stream(), "Stimulus")[:3] == [(0, "123"), (7, "130"), (10, "133")]
    assert (segments(deck.stream()), deck.stream().gaps) == ([0], [])
    deck.seal()


def test_a_start_in_the_future_passes_by_what_comes_before(decks: Decks, feeds: Feeds) -> None:
    deck, feed = decks(when(122.5)), feeds(INFO)
    feed.send(10, blocks=5)
    deck.start(feed)
    feed.send(10, blocks=45)
    deck.wait_for_report()
    deck.finish()
    assert recorded(deck) == list(range(123, 500))


def test_a_start_before_the_source_has_begun_begins_with_its_first_sample(
    decks: Decks, feeds: Feeds
) -> None:
    deck, feed = decks(when(-5000)), feeds(INFO)
    feed.send(10, blocks=5)
    deck.record(feed)
    assert recorded(deck) == list(range(50))
    assert deck.stream().gaps == []
    assert deck.track.counts.positions == {"amp": (0, None)}


def test_a_start_that_the_ring_has_overwritten_is_counted_and_said(
    decks: Decks, feeds: Feeds, caplog: pytest.LogCaptureFixture
) -> None:
    deck, feed = decks(when(299.5)), feeds(INFO, 512)
    feed.send(10, blocks=200)
    deck.record(feed)
    found = recorded(deck)
    assert found == list(range(found[0], 2000))
    missing = found[0] - 300
    assert deck.stream().gaps == [Gap(0, 0, missing)]
    counts = deck.track.counts
    assert (counts.missing_samples, counts.overruns) == (missing, 1)
    assert counts.positions["amp"][0] == -missing
    assert f"{missing} samples were overwritten before they could be recorded" in caplog.text


def test_a_start_lies_in_the_ring_in_which_its_instant_is(decks: Decks, feeds: Feeds) -> None:
    deck, first, second = decks(when(122.5, 200)), feeds(INFO), feeds(INFO)
    first.send(10, blocks=10)
    first.close()
    second.arrival_s = 200.0
    second.send(10, blocks=20)
    deck.record(first, second)
    assert recorded(deck) == list(range(123, 200))


def test_a_start_that_does_not_come_before_the_end_records_nothing(
    decks: Decks, feeds: Feeds
) -> None:
    deck, feed = decks(when(5000)), feeds(INFO)
    feed.send(10, blocks=10)
    deck.start(feed)
    deck.finish()
    assert not (deck.session.path / "amp").exists()
    assert deck.track.counts.failure == ""


# --- stop


def test_a_stop_ends_in_the_middle_of_a_block(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, 0, 3, 7, blocks=50)
    deck.record(feed, stop_s=when(324.75))
    assert recorded(deck) == list(range(325))
    assert deck.track.counts.positions == {"amp": (None, pytest.approx(324.75))}
    assert marks(deck.stream(), "Stimulus")[-2:] == [(320, "320"), (323, "323")]
    deck.seal()


def test_a_stop_that_comes_late_cuts_off_what_was_recorded_after_it(
    deck: Deck, feeds: Feeds
) -> None:
    feed = feeds(INFO)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    feed.send(10, 0, 3, 7, blocks=49)
    while deck.track.counts.samples < 500:
        deck.track.sync()
    deck.finish(when(324.75))
    assert recorded(deck) == list(range(325))
    assert deck.track.counts.samples == deck.track.counts.durable_samples == 325
    assert deck.track.counts.positions == {"amp": (None, pytest.approx(324.75))}
    assert marks(deck.stream(), "Stimulus")[-1:] == [(323, "323")]
    deck.seal()
    assert marks(deck.stream(), "Stimulus")[-1:] == [(323, "323")]


def test_a_stop_in_the_future_goes_on_until_it_is_reached(deck: Deck, feeds: Feeds) -> None:
    now_s = time.monotonic() + 1000
    feed = feeds(INFO, 100_000)
    feed.arrival_s = now_s
    deck.start(feed)
    feed.send(10, blocks=50)
    deck.track.finish(when(777.5, now_s))
    feed.send(10, blocks=50)
    deck.track.join(10)
    assert not deck.track.is_alive()
    assert recorded(deck) == list(range(778))


def test_a_stop_in_the_future_is_reached_in_a_ring_that_comes_later(
    deck: Deck, feeds: Feeds
) -> None:
    now_s = time.monotonic() + 1000
    first, second = feeds(INFO), feeds(INFO)
    first.arrival_s, second.arrival_s = now_s, now_s + 1
    deck.start(first)
    first.send(10, blocks=20)
    deck.wait_for_report()
    deck.track.finish(when(122.5, now_s + 1))
    first.close()
    second.sent = 1000
    second.send(10, blocks=20)
    deck.track.attach(second.name, from_start=True)
    deck.track.join(10)
    assert not deck.track.is_alive()
    assert recorded(deck) == [*range(200), *range(1000, 1123)]
    assert deck.track.counts.positions == {"amp": (None, pytest.approx(322.5))}


def test_an_end_at_once_overtakes_a_stop_in_the_future(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    deck.start(feed)
    feed.send(10, blocks=5)
    deck.wait_for_report()
    deck.track.finish(time.monotonic() + 1000)
    deck.finish()
    assert recorded(deck) == list(range(50))


def test_a_source_that_has_stalled_is_not_waited_for(
    deck: Deck, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, "STOP_PATIENCE_S", 0.01)
    feed = feeds(INFO)
    feed.arrival_s = time.monotonic() - 1
    feed.send(10, blocks=5)
    deck.start(feed)
    deck.wait_for_report()
    stop_s = time.monotonic() + 0.01
    deck.finish(stop_s)
    assert recorded(deck) == list(range(50))
    assert deck.track.counts.positions == {}
    # The first of them was taken a millisecond after the feed began.
    short = math.ceil((stop_s - feed.arrival_s) * 1000) - 1
    assert (deck.track.counts.short, deck.track.counts.failure) == (short, "")
    assert deck.track.counts.ended


def test_a_source_with_long_blocks_is_waited_for_as_long_as_two_of_them(
    deck: Deck, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, "STOP_PATIENCE_S", 0.01)
    feed = feeds(INFO, 8192)
    feed.arrival_s = time.monotonic() - 2.0
    feed.send(2000)
    deck.start(feed)
    deck.wait_for_report()
    deck.track.finish(feed.arrival_s + 0.5)
    deck.track.join(1.0)
    assert deck.track.is_alive(), "a block may still come"
    feed.send(2000)
    deck.track.join(10)
    deck.finish()
    assert recorded(deck) == list(range(2499))
    assert deck.track.counts.short == 0


def test_a_stream_without_a_ring_ends_too(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "STOP_PATIENCE_S", 0.01)
    deck.track.start()
    deck.finish(time.monotonic() + 0.01)


def test_a_stop_before_the_rings_last_change_is_found_in_what_was_recorded(
    deck: Deck, feeds: Feeds
) -> None:
    first, second = feeds(INFO), feeds(info(channels=3))
    first.send(10, blocks=20)
    second.arrival_s = 200
    second.send(10, blocks=20)
    deck.start(first)
    deck.track.attach(second.name, from_start=True)
    deck.wait_for_report()
    first.close()
    while deck.track.counts.samples < 400:
        deck.track.sync()
    deck.finish(when(122.5))
    assert recorded(deck) == list(range(123))
    assert len(deck.stream("amp.2").samples) == 0
    assert deck.track.counts.samples == 123
    assert deck.track.counts.positions["amp"] == (None, pytest.approx(122.5))
    deck.seal()


def test_a_stop_between_two_rings_keeps_all_of_the_first(deck: Deck, feeds: Feeds) -> None:
    first, second = feeds(INFO), feeds(INFO)
    first.send(10, blocks=20)
    second.arrival_s = 200
    second.send(10, blocks=20)
    deck.record(first, second, stop_s=150.0)
    assert recorded(deck) == list(range(200))


def test_a_stop_before_the_start_records_nothing(decks: Decks, feeds: Feeds) -> None:
    deck, feed = decks(when(100)), feeds(INFO)
    feed.send(10, blocks=20)
    deck.record(feed, stop_s=when(50))
    assert not (deck.session.path / "amp").exists()


# --- whatever happens

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 5)),
        st.tuples(st.just("lose"), st.integers(1, 5)),
        st.tuples(st.just("lull"), st.just(0)),
        st.tuples(st.just("run"), st.integers(1, 50)),
    ),
    max_size=20,
)


@given(ACTIONS, st.integers(-20, 400), st.integers(1, 400), st.booleans(), st.booleans())
@example([("lose", 1), ("send", 1)], 23, 15, True, True)  # a loss behind a block that is cut
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_window_holds_exactly_the_samples_that_were_taken_in_it(
    tmp_path: Path,
    actions: list[tuple[str, int]],
    start: int,
    length: int,
    is_early: bool,
    is_late: bool,
) -> None:
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    start_s, stop_s = when(start - 0.5), when(start + length - 0.5)
    deck = Deck(make_session(tmp_path / "data"), start_s)
    feed = Feed(INFO, 4096)
    taken: dict[int, float] = {}
    if is_early:
        deck.start(feed)
    for action, number in [("send", 3), *actions, ("run", 1000), ("send", 1)]:
        match action:
            case "send":
                for at in range(feed.sent, feed.sent + 10 * number):
                    taken[at] = feed.arrival_s + (at - feed.sent + 1) / 1000
                feed.send(10, blocks=number)
            case "lose":  # also by the clock
                feed.lose(number, 10)
                feed.arrival_s += number / 100
            case "lull":
                feed.send(0)
            case "run":
                feed.ring.begin_run()
                feed.arrival_s += number / 1000
    inside = [at for at, taken_s in taken.items() if start_s <= taken_s < stop_s]
    if is_late and is_early:
        after = [at for at, taken_s in taken.items() if taken_s >= start_s]
        waited = threading.Event()
        while deck.track.counts.samples < len(after):
            waited.wait(0.001)
    if is_early:
        deck.finish(stop_s)
    else:
        deck.record(feed, stop_s=stop_s)
    feed.close()
    folder = deck.session.path / "amp"
    found = recorded(deck) if folder.exists() and inside else []
    assert [number for number in found if number != LOST] == inside
