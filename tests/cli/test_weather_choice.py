"""The weather as people ask for it, and as they are told of it."""

import pytest

from rigctl.cli.weather_choice import Choice, choose, in_words
from rigctl.errors import ConfigError
from rigctl.net.weather import Weather, Window


def test_what_was_said_is_what_is_meant():
    said = Choice("5%", "2.5 %", ".5%", "5ms", "2 ms", "2s/30s", "1%")
    weather = choose(said)
    assert weather == Weather(
        loss=0.05,
        duplication=0.025,
        reordering=0.005,
        delay_s=0.005,
        jitter_s=0.002,
        cut=0.01,
        partitions=(Window.periodic(30.0, 2.0),),
    )
    assert in_words(weather) == (
        "of datagrams 5 % are lost, 2.5 % arrive twice, 0.5 % are held back; "
        "1 % of what a stream carries breaks it; everything takes 5 to 7 ms each way; "
        "nothing passes for 2 s in every 30 s"
    )


def test_what_was_not_said_does_not_happen():
    assert choose(Choice()) == choose(Choice("0", "0%", "0")) == Weather()
    assert in_words(Weather()) == "everything passes unharmed"
    assert in_words(choose(Choice(delay="5ms"))) == "everything takes 5 ms each way"


@pytest.mark.parametrize("text", ["5", "0.05", "-5%", "101%", "five", "%", "nan%", "5%%"])
@pytest.mark.parametrize("option", ["loss", "duplicate", "reorder", "cut"])
def test_what_is_no_percentage_is_refused(option, text):
    with pytest.raises(ConfigError, match=f"--{option}: a percentage such as 5% is needed"):
        choose(Choice(**{option: text}))


@pytest.mark.parametrize(
    ("option", "text", "problem"),
    [
        ("delay", "soon", "--delay: a duration such as"),
        ("jitter", "-1ms", "--jitter: a duration such as"),
        ("partition", "2s", "--partition: say how long, and in every how long, such as 2s/30s"),
        ("partition", "2s/", "--partition: a duration such as"),
        ("partition", "30s/2s", "--partition: a partition of 30 s in every 2 s cannot be"),
    ],
)
def test_what_is_no_time_is_refused(option, text, problem):
    with pytest.raises(ConfigError, match=problem):
        choose(Choice(**{option: text}))
