"""Open the communicators of a lab file.

From: users' scripts (`rigctl.connect`), the command line.  To: `controller.services`.
"""

import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from rigctl.config import Lab, RigEntry, load_lab
from rigctl.controller.services import Services
from rigctl.net import EchoProtocol, Options
from rigctl.net.echo import Dialect
from rigctl.net.secure import client_context
from rigctl.net.station import Station
from rigctl.net.timing import Timing


def connect(lab: str | Path | Lab) -> Services:
    """Return the services of a lab, to be used with ``async with``.

    The ways to the rigs are opened when they are first used, so that a rig that is down fails
    its own command and nothing else.  Call it inside a running event loop.

    Args:
        lab: a lab file, its path, or what was read from it.

    Raises:
        ConfigError: the file or a certificate is missing or wrong.
    """
    lab = lab if isinstance(lab, Lab) else load_lab(Path(lab))
    shared = _Shared.of(lab)
    rigs = [_communicator(lab, entry, shared) for entry in lab.rigs.values()]
    return Services(rigs, timeout=lab.timeouts.reply_s)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the ways to all rigs share; one clock, so that one instant can be told to all."""

    keyed: Station
    """With the lab's key, if it has one."""
    plain: Station
    """Without: for rigs that are said to speak the predecessor's dialect, which knows no keys."""
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, lab: Lab) -> Self:
        keyed = Station.new(key=lab.key)
        plain = Station.new(clock=keyed.clock) if lab.key else keyed
        secure = any(entry.address.scheme == "tls" for entry in lab.rigs.values())
        return cls(keyed, plain, client_context(lab.tls) if secure else None)


def _communicator(lab: Lab, entry: RigEntry, shared: _Shared) -> EchoProtocol:
    """Return the way to a rig: its own timing, the clock and the epoch of all."""
    options = Options(
        dialect=Dialect(entry.dialect),
        timing=Timing(plain_retries=entry.retries),
        echo_timeout_s=lab.timeouts.echo_s,
        reply_timeout_s=lab.timeouts.reply_s,
        tls=shared.tls,
    )
    station = shared.plain if entry.dialect == Dialect.IBLUTIL else shared.keyed
    station = replace(station, context=replace(station.context, timing=options.timing))
    return EchoProtocol(entry.address, "client", name=entry.name, options=options, station=station)
