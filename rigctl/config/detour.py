"""A lab file's values, with every rig reached by another address and all else as it was (pure).

From: a lab file.  To: ``rigctl chaos``, which stands between the controller and the rigs.
"""

from collections.abc import Mapping
from typing import Any

from rigctl.address import Address
from rigctl.config.document import Document
from rigctl.config.lab import Lab
from rigctl.config.units import folder

_PATHS = ("key_file", "data_root", "state_dir", "tls")
"""The keys that name files or folders; ``tls`` holds several."""


def detour(lab: Lab, document: Document, addresses: Mapping[str, Address]) -> dict[str, Any]:
    """Return the values of a lab file in the long form.

    Args:
        lab: what was read from the file.
        document: the file's own values.
        addresses: by which each rig is to be reached, by its name.
    """
    values = document.values
    # A lab that could be read has its rigs under this key, or (the flat form) is nothing but rigs.
    nested = values.get("rigs")
    rigs = nested if isinstance(nested, Mapping) else values
    others = values if isinstance(nested, Mapping) else {}
    moved = {name: _moved(raw, addresses[name]) for name, raw in rigs.items()}
    kept = {key: _absolute(document, value) for key, value in others.items() if key in _PATHS}
    return {"lab": lab.name} | others | kept | {"rigs": moved}


def _moved(raw: Any, address: Address) -> Any:
    return {**raw, "uri": str(address)} if isinstance(raw, Mapping) else str(address)


def _absolute(document: Document, value: Any) -> Any:
    """Return a path, or several, as seen from anywhere; nothing stays nothing."""
    if isinstance(value, Mapping):
        return {key: _absolute(document, path) for key, path in value.items()}
    return str(folder(value, document.path)) if value else value
