"""What yields blocks of samples, by kind: one class per file, found by entry point.

From: the group ``rigctl.devices`` of all installed packages, so that a package of a lab's own can
add a kind.  To: `peers.source`, and checks of a configuration.

A device's class has `Settings`, a frozen msgspec Struct with typed and bounded fields, and is made
with a name and such settings; see `blocks.Device` for how it is read.
"""

import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from rigctl.blocks import Device
from rigctl.devices.settings import checked
from rigctl.errors import ConfigError

_log = logging.getLogger(__name__)

_GROUP = "rigctl.devices"


def kinds() -> dict[str, type]:
    """Return the class of every kind of device, with a warning for what cannot be loaded."""
    found = {}
    for name, point in _points().items():
        try:
            found[name] = _load(name, point)
        except ConfigError as error:
            _log.warning("%s", error)
    return found


def settings_for(kind: str, raw: Mapping[str, Any]) -> msgspec.Struct:
    """Return the checked settings of a device.

    Args:
        kind: such as ``rda``.
        raw: the device's own keys as a configuration file holds them.

    Raises:
        ConfigError: there is no such kind, or a key is unknown, missing or impossible.
    """
    return checked(kind, raw, _class(kind).Settings)


def open_device(kind: str, settings: msgspec.Struct, name: str) -> Device:
    """Return a device; iterating opens it.

    Args:
        kind: such as ``rda``.
        settings: what `settings_for` returned for this kind.
        name: the stream's name in the rig's configuration.

    Raises:
        ConfigError: there is no such kind.
    """
    device: Device = _class(kind)(name, settings)
    return device


def _class(kind: str) -> Any:
    points = _points()
    if kind not in points:
        known = ", ".join(sorted(points)) or "none"
        raise ConfigError("", "device", f"there is no device {kind!r}; known are: {known}")
    return _load(kind, points[kind])


def _load(kind: str, point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError("", "device", f"device {kind!r} cannot be loaded: {error}") from error


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}
