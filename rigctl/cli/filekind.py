"""Whether a configuration file is a lab's or a rig's, also when something in it is wrong (pure).

From: a file's values.  To: ``rigctl config check``.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from typing import Any

from rigctl.address import Address
from rigctl.config.document import Document

_LAB_KEYS = ("rigs", "lab", "timeouts")
_RIG_KEYS = ("sources", "name", "listen", "record", "service", "main_sync", "flush")
_FILES = ("key_file", "state_dir", "data_root")
"""What both kinds may have, and what can look like an address, as ``lab.key`` does."""
_DECISIVE = {"rigs", "sources"}
_ALIKE = 0.75


class Kind(Enum):
    """What a configuration file describes."""

    LAB = "lab"
    RIG = "rig"


def kind_of(document: Document) -> Kind:
    """Return the kind that a file has most of, misspelt keys included.

    Raises:
        ConfigError: it has nothing of either, or as much of both.
    """
    lab, rig = _score(document.values, _LAB_KEYS), _score(document.values, _RIG_KEYS)
    lab += sum(_is_rig_entry(key, value) for key, value in document.values.items())
    if lab == rig:
        raise document.error((), _BOTH if lab else _NEITHER)
    return Kind.LAB if lab > rig else Kind.RIG


_EXPECTED = (
    "a lab file has `rigs`, or a line `name: udp://host:port` for each rig; "
    "a rig file has `name`, `listen`, `sources` and `record`"
)
_NEITHER = f"is neither a lab file nor a rig file: {_EXPECTED}"
_BOTH = f"has as much of a lab file as of a rig file: {_EXPECTED}"


def _score(values: Mapping[str, Any], known: tuple[str, ...]) -> int:
    """Return how many keys are known, those that only look like it and are no rig included."""
    exact = [key for key in values if key in known]
    alike = [
        key
        for key, value in values.items()
        if key not in known
        and not _is_rig_entry(key, value)
        and get_close_matches(str(key), known, n=1, cutoff=_ALIKE)
    ]
    return len(exact) + len(_DECISIVE.intersection(exact)) + len(alike)


def _is_rig_entry(key: str, value: Any) -> bool:
    """Whether this is a rig in a flat lab file: a name and a URI."""
    if key in _RIG_KEYS + _LAB_KEYS:
        return False
    if isinstance(value, dict):
        return "uri" in value
    if key in _FILES and "://" not in str(value):
        return False
    return isinstance(value, str) and any(mark in value for mark in ":.") and _is_address(value)


def _is_address(text: str) -> bool:
    try:
        Address.parse(text)
    except ValueError:
        return "://" in text
    return True
