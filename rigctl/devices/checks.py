"""Whether every source of a rig has settings that its device can work with.

From: a rig's configuration, of which `config` leaves the devices' own keys unread.
To: the daemon before it starts, ``rigctl config check``.
"""

import re
from collections.abc import Sequence

import msgspec

from rigctl.config import Rig, SourceEntry
from rigctl.devices import settings_for
from rigctl.errors import ConfigError

_STEP = re.compile(r"[^.\[\]]+")


def check_sources(rig: Rig) -> None:
    """Check the device and the settings of every source; nothing is opened.

    Raises:
        ConfigError: of the first that is wrong, with file, line, key and what would be right.
    """
    source_settings(rig)


def source_settings(rig: Rig) -> dict[str, msgspec.Struct]:
    """Return every source's settings by its name, defaults filled in; errors as `check_sources`."""
    return {name: _settings(rig, source) for name, source in rig.sources.items()}


def _settings(rig: Rig, source: SourceEntry) -> msgspec.Struct:
    try:
        return settings_for(source.device, source.settings)
    except ConfigError as error:
        at = ("sources", source.name, *_STEP.findall(error.key))
        raise _placed(rig, at, error.problem) from None


def _placed(rig: Rig, at: Sequence[str], problem: str) -> ConfigError:
    if rig.document:
        return rig.document.error(at, problem)
    return ConfigError(str(rig.path), ".".join(at), problem)
