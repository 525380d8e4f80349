"""Markers on the way from ring to disk: each at its sample, whatever is lost."""

import threading

import numpy as np

from rigctl.blocks import Block, Marker
from tests.workers.conftest import Deck, Feeds
from tests.workers.making import info
from tests.workers.reading import marks

INFO = info()


def test_markers_stand_at_their_samples(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, 0, 9, blocks=3)
    feed.lose(2, 10)
    feed.send(10, 0, 5, 9)
    deck.record(feed)
    expected = [0, 9, 10, 19, 20, 29, 50, 55, 59]
    assert marks(deck.stream(), "Stimulus") == [(at, str(at)) for at in expected]


def test_markers_of_a_block_may_come_in_any_order(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, 9, 0, 5)
    feed.lose(2, 10)
    feed.send(10, 7, 2)
    deck.record(feed)
    expected = [0, 5, 9, 32, 37]
    assert marks(deck.stream(), "Stimulus") == [(at, str(at)) for at in expected]


def test_markers_of_a_block_without_samples_stand_at_the_next_one(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(0, 0)
    feed.send(10)
    feed.send(0, 0)
    feed.send(10)
    feed.send(0, 0)
    deck.record(feed)
    assert marks(deck.stream(), "Stimulus") == [(0, "0"), (10, "10"), (20, "20")]


def test_markers_at_the_very_end_are_recorded_though_no_sample_follows(
    deck: Deck, feeds: Feeds
) -> None:
    feed, goes_on = feeds(INFO), threading.Event()
    deck.on_report = lambda: goes_on.wait(10)
    deck.start(feed)
    feed.send(10)
    deck.wait_for_report()
    feed.send(0, 0)
    deck.track.finish()
    goes_on.set()
    deck.finish()
    assert marks(deck.stream(), "Stimulus") == [(10, "10")]


def test_markers_outside_their_block_stay_in_the_recording(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, -3)
    feed.send(10, 12)
    deck.record(feed)
    assert [at for at, _ in marks(deck.stream(), "Stimulus")] == [0, 20]


def test_a_marker_outside_its_block_costs_no_other(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    feed.send(10, 12, 3)
    feed.lose(2, 10)
    feed.send(10, 5)
    deck.record(feed)
    found = dict(reversed(mark) for mark in marks(deck.stream(), "Stimulus"))
    assert found.keys() == {"12", "3", "35"}
    assert (found["3"], found["35"]) == (3, 35)


def test_length_and_channel_of_a_marker_are_kept(deck: Deck, feeds: Feeds) -> None:
    feed = feeds(INFO)
    marker = Marker(2, "Response", "R  1, with a comma", points=5, channel=1)
    feed.ring.write(Block(np.ones((4, 2), "<i8"), 0, 1.0, (marker,)))
    deck.record(feed)
    assert [m for m in deck.stream().markers if m.type == "Response"] == [marker]
