"""What was wrong with a session, from when to when."""

from rigctl.daemon.episodes import Episodes
from rigctl.recording.session import Episode
from rigctl.reports import Condition

STALLED = Condition("DEGRADED", "amp", "no sample for 2.0 s")


def test_an_episode_lasts_while_its_condition_does() -> None:
    episodes = Episodes()
    assert episodes.look([STALLED], 1.0)
    assert not episodes.look([Condition("DEGRADED", "amp", "no sample for 3.0 s")], 2.0)
    assert episodes.look([], 3.0)
    (episode,) = episodes.all
    assert (episode.since_unix_s, episode.until_unix_s) == (1.0, 3.0)
    assert episode.detail == STALLED.reason


def test_one_that_had_not_ended_goes_on_or_ends_with_the_next_look() -> None:
    former = Episode(condition="DEGRADED", source="amp", since_unix_s=1.0, detail="stalled")
    going_on, ending = Episodes([former]), Episodes([former])
    assert not going_on.look([STALLED], 5.0)
    assert going_on.all == (former,)
    assert ending.look([], 5.0)
    assert ending.all[0].until_unix_s == 5.0


def test_one_that_is_over_is_added_as_it_is() -> None:
    episodes = Episodes()
    episodes.look([STALLED], 1.0)
    over = Episode(condition="DEGRADED", source="amp", since_unix_s=0.0, until_unix_s=0.5)
    episodes.add(over)
    episodes.look([], 2.0)
    assert [episode.until_unix_s for episode in episodes.all] == [2.0, 0.5]
