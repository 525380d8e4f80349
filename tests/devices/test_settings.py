"""Settings are checked at once: the key, what is wrong and what would be right."""

from typing import Annotated

import pytest
from msgspec import Meta, Struct

from rigctl.devices.settings import checked
from rigctl.errors import ConfigError


class Inner(Struct, frozen=True, forbid_unknown_fields=True):
    gain: Annotated[int, Meta(ge=1)] = 1


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 5
    inner: Inner = Inner()


def refused(raw) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        checked("amp", raw, Settings)
    return caught.value


def test_good_settings_are_returned_frozen_with_their_defaults():
    assert checked("amp", {"host": "h"}, Settings) == Settings("h")


def test_an_unknown_key_is_named_with_the_known_ones():
    error = refused({"host": "h", "prot": 1})
    assert error.key == "prot"
    assert "did you mean 'port'" in error.problem
    assert "host, port, inner" in error.problem


def test_a_missing_key_is_named():
    error = refused({})
    assert (error.key, "needs this key" in error.problem) == ("host", True)


@pytest.mark.parametrize(
    ("raw", "key", "problem"),
    [
        ({"port": 70_000}, "port", "expected `int` <= 65535, not 70000"),
        ({"port": True}, "port", "expected `int`, got `bool`"),
        ({"port": "80"}, "port", "expected `int`, got `str`"),
        ({"inner": {"gain": 0}}, "inner.gain", "expected `int` >= 1"),
        ({"inner": {"loss": 0}}, "inner", "unknown field `loss`"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(raw, key, problem):
    error = refused({"host": "h", **raw})
    assert error.key == key
    assert problem in error.problem
