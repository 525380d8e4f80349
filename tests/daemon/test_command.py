"""What a command says beside its event: instants on the rig's clock, and who wants it."""

import math

import pytest

from rigctl.daemon.command import MOST_AHEAD_S, Command, instant_s
from rigctl.daemon.states import CLEANUP, END, INIT, INTERRUPT, START
from rigctl.errors import Refused
from rigctl.messages import Event, Json
from rigctl.net.inputs import Now

NOW = Now(monotonic=5000.0, clock=1.7e9)


def at(value: Json, event: Event = START) -> float | None:
    return instant_s(Command(event, data={"at": value}), NOW)


@pytest.mark.parametrize("event", [START, END, INTERRUPT])
@pytest.mark.parametrize("ahead_s", [-3.5, 0.0, 2.25, MOST_AHEAD_S[END]])
def test_an_instant_of_the_rigs_clock_is_one_of_the_monotonic_clock(
    event: Event, ahead_s: float
) -> None:
    assert at(1.7e9 + ahead_s, event) == pytest.approx(5000.0 + ahead_s)


def test_an_integer_is_a_number_of_seconds() -> None:
    assert at(1_700_000_001) == 5001.0


@pytest.mark.parametrize("data", [None, {}, {"at": None}, "2024", [1.7e9], 1.7e9])
def test_where_none_is_named_it_is_now(data: Json) -> None:
    assert instant_s(Command(START, data=data), NOW) is None


@pytest.mark.parametrize("event", [INIT, CLEANUP])
def test_only_what_begins_or_ends_a_recording_has_one(event: Event) -> None:
    assert at(float("nan"), event) is None


def test_one_that_is_long_past_is_taken() -> None:
    assert at(1.0) == pytest.approx(5001.0 - 1.7e9)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, True, "soon", [1], {}, 10**400],
    ids=["nan", "inf", "-inf", "bool", "text", "list", "object", "huge"],
)
def test_what_is_no_instant_is_refused(value: Json) -> None:
    with pytest.raises(Refused, match=r"^EXPEND at .*: an instant is a number of seconds since"):
        at(value, END)


def test_one_that_is_too_far_ahead_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match="4000 s ahead of this rig's clock.*rigctl clock"):
        at(1.7e9 + 4000)


def test_arming_is_for_init_and_asked_for_in_so_many_words() -> None:
    assert Command(INIT, data={"arm": True}).arm
    assert not Command(START, data={"arm": True}).arm
    assert not any(Command(INIT, data={"arm": value}).arm for value in (1, "yes", None, [True]))
    assert not Command(INIT, data=["arm"]).arm


def test_who_it_comes_from_is_text_of_bounded_length() -> None:
    assert Command(INIT, data={"by": "x" * 1000}).by == "x" * 80
    assert Command(INIT, data="by").by == Command(INIT).abandon == ""


@pytest.mark.parametrize("event", [END, INTERRUPT])
def test_a_stop_is_waited_for_a_minute_at_the_most(event: Event) -> None:
    with pytest.raises(Refused, match="and 60 s are waited at the most"):
        at(1.7e9 + 61, event)
