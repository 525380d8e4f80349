"""Open the communicators of a lab file.

From: users' scripts (`rigctl.connect`), the command line.  To: `controller.services`.
"""

from dataclasses import replace
from pathlib import Path

from rigctl.config import Lab, RigEntry, load_lab
from rigctl.controller.services import Services
from rigctl.net import EchoProtocol, Options
from rigctl.net.echo import Dialect
from rigctl.net.station import Station
from rigctl.net.timing import Timing


def connect(lab: str | Path | Lab) -> Services:
    """Return the services of a lab, to be used with ``async with``.

    The ways to the rigs are opened when they are first used, so that a rig that is down fails
    its own command and nothing else.  Call it inside a running event loop.

    Args:
        lab: a lab file, its path, or what was read from it.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    lab = lab if isinstance(lab, Lab) else load_lab(Path(lab))
    station = Station.new()
    rigs = [_communicator(lab, entry, station) for entry in lab.rigs.values()]
    return Services(rigs, timeout=lab.timeouts.reply_s)


def _communicator(lab: Lab, entry: RigEntry, station: Station) -> EchoProtocol:
    """Return the way to a rig: its own timing, the clock and the epoch of all."""
    options = Options(
        dialect=Dialect(entry.dialect),
        timing=Timing(plain_retries=entry.retries),
        echo_timeout_s=lab.timeouts.echo_s,
        reply_timeout_s=lab.timeouts.reply_s,
    )
    context = replace(station.context, timing=options.timing)
    station = replace(station, context=context)
    return EchoProtocol(entry.address, "client", name=entry.name, options=options, station=station)
