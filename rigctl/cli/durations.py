"""Durations as options of a command: ``--for 10s``.

From: the command line.  To: `cli.control`, `cli.run`, `cli.simulate`.
"""

from rigctl.config.units import seconds
from rigctl.errors import ConfigError


def option_seconds(option: str, text: str) -> float:
    """Return an option's duration in seconds.

    Raises:
        ConfigError: it is none; names the option.
    """
    try:
        return seconds(text)
    except ValueError as error:
        raise ConfigError("", option, str(error)) from None
