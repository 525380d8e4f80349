"""A connection that was lost while a session ran: what is missing is measured, and on disk."""

from rigctl.recording.reader import Gap
from tests.workers.conftest import Deck, Feeds
from tests.workers.making import Feed, info
from tests.workers.reading import segments

INFO = info()


def lose_connection(feed: Feed, blocks: int, *, goes_on: bool) -> None:
    """Let so many blocks of 10 samples pass before the next run."""
    feed.arrival_s += blocks * 10 / float(feed.layout.rate_hz)
    feed.lose(blocks, 10)
    if not goes_on:
        feed.counter = 0
    feed.ring.begin_run()


def check(deck: Deck, missing: int) -> None:
    stream = deck.stream()
    assert stream.gaps == [Gap(20, 0, missing)]
    assert segments(stream) == [0, 20]
    assert (deck.track.counts.gaps, deck.track.counts.missing_samples) == (1, missing)
    deck.seal()


def test_a_server_that_went_on_counting_tells_what_is_missing(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, blocks=2)
    lose_connection(feed, 173, goes_on=True)
    feed.arrival_s += 0.1  # the first blocks behind a connection may come late
    feed.send(10, blocks=2)
    deck.record(feed)
    check(deck, 1730)


def test_a_server_that_counts_anew_leaves_it_to_the_clock(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, blocks=2)
    lose_connection(feed, 173, goes_on=False)
    feed.send(10, blocks=2)
    deck.record(feed)
    check(deck, 1730)


def test_a_source_that_was_started_again_goes_on_behind_what_it_missed(
    deck: Deck, feeds: Feeds
) -> None:
    first, second = feeds(INFO), feeds(INFO)
    first.send(10, blocks=2)
    first.ring.close("the source stopped")
    second.arrival_s = first.arrival_s + 2.5
    second.send(10, blocks=2)
    second.ring.close("the source stopped")
    deck.record(first, second)
    check(deck, 2500)


def test_a_ring_whose_blocks_go_on_lacks_nothing_however_late_they_come(
    deck: Deck, feeds: Feeds
) -> None:
    first, second = feeds(INFO), feeds(INFO)
    first.send(10, blocks=2)
    first.ring.close("the source changed its ring")
    second.counter, second.sent = first.counter, first.sent
    second.arrival_s = first.arrival_s + 0.007
    second.send(10, blocks=2)
    second.ring.close("the source stopped")
    deck.record(first, second)
    check(deck, 0)
