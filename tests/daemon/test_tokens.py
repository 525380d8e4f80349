"""What was given up by its controller is not begun any more."""

import pytest

from rigctl.daemon.command import Command
from rigctl.daemon.states import CLEANUP, END, INIT, INTERRUPT, START
from rigctl.daemon.tokens import Tokens
from rigctl.errors import Refused


def given_up(*names: str) -> Tokens:
    tokens = Tokens()
    for name in names:
        tokens.hear(Command(INTERRUPT, data={"abandon": "why", "by": name}), name, idle=False)
    return tokens


@pytest.mark.parametrize("event", [INIT, START])
def test_what_was_given_up_is_refused(event):
    tokens = given_up("one")
    with pytest.raises(Refused, match="came late"):
        tokens.check(Command(event, data={"by": "one"}))
    tokens.check(Command(event, data={"by": "another"}))
    tokens.check(Command(event))


@pytest.mark.parametrize("event", [END, INTERRUPT, CLEANUP])
def test_what_ends_something_is_never_refused_for_that(event):
    given_up("one").check(Command(event, data={"by": "one"}))


def test_it_is_given_up_also_where_nothing_is_begun_or_another_has_begun_something():
    tokens = Tokens()
    tokens.hear(Command(CLEANUP, data={"abandon": "why", "by": "early"}), "", idle=True)
    other = Command(INTERRUPT, data={"abandon": "why", "by": "other"})
    with pytest.raises(Refused, match="begun by another controller"):
        tokens.hear(other, "owner", idle=False)
    for name in ("early", "other"):
        with pytest.raises(Refused, match="came late"):
            tokens.check(Command(START, data={"by": name}))


def test_a_stop_gives_nothing_up_and_nobody_is_given_up_without_a_token():
    tokens = Tokens()
    tokens.hear(Command(INTERRUPT, data={"by": "one"}), "another", idle=False)
    tokens.hear(Command(INTERRUPT, data={"abandon": "why"}), "", idle=False)
    tokens.check(Command(START, data={"by": "one"}))
    tokens.check(Command(START))


def test_so_many_are_remembered_each_once():
    tokens = given_up("first", *["second"] * 100)
    with pytest.raises(Refused):
        tokens.check(Command(START, data={"by": "first"}))
    given_up(*map(str, range(65))).check(Command(START, data={"by": "0"}))
