"""Checks the settings of a device: what is wrong with which key, and what would be right (pure).

From: a mapping as a configuration file holds it.  To: a frozen Struct.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from rigctl.errors import ConfigError

_PATH = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*?)`")


def checked(kind: str, raw: Mapping[str, Any], settings: type[msgspec.Struct]) -> msgspec.Struct:
    """Return the settings in a mapping.

    Args:
        kind: the kind of the device, for the text.
        raw: keys and values.
        settings: the type of the settings of this kind.

    Raises:
        ConfigError: naming the key.
    """
    for key in raw:
        if key not in settings.__struct_fields__:
            raise ConfigError("", str(key), _unknown(kind, str(key), settings.__struct_fields__))
    try:
        return msgspec.convert(dict(raw), settings)
    except msgspec.ValidationError as error:
        raise _explained(kind, str(error), raw) from error


def _unknown(kind: str, key: str, known: tuple[str, ...]) -> str:
    similar = get_close_matches(key, known, n=1)
    hint = f"; did you mean {similar[0]!r}?" if similar else ""
    return f"device {kind!r} has no such key{hint}; known are: {', '.join(known)}"


def _explained(kind: str, text: str, raw: Mapping[str, Any]) -> ConfigError:
    missing = _MISSING.match(text)
    if missing:
        return ConfigError("", missing[1], f"device {kind!r} needs this key")
    match = _PATH.fullmatch(text)
    assert match is not None  # every text matches
    problem, key = match[1], match[2] or ""
    given = f", not {raw[key]!r}" if key in raw and "got" not in problem else ""
    return ConfigError("", key, f"{problem[:1].lower()}{problem[1:]}{given}")
