"""Names of rigs and streams: they become folders and shared-memory names.

From: configuration files.  To: `config.lab`, `config.rig`.
"""

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TAKEN = ("derived",)
"""The folders of a session that are no stream's."""


def check_name(name: str) -> str:
    """Return the name if it may be one.

    Raises:
        ValueError: it has other characters than letters, digits, ``-`` and ``_``, or is taken.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:80]!a} cannot be a name: use letters, digits, '-' and '_', 64 at most, "
            "beginning with a letter or a digit"
        )
    if name.lower() in _TAKEN:
        raise ValueError(f"{name!r} cannot be a name: a folder of every session is called so")
    return name
