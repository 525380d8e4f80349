"""Open the communicators of a lab file.

From: users' scripts (`rigctl.connect`), the command line.  To: `controller.services`.
"""

import ssl
from pathlib import Path

from rigctl.config import Lab, RigEntry, load_lab
from rigctl.controller.services import Services
from rigctl.net import EchoProtocol, Options
from rigctl.net.echo import Dialect
from rigctl.net.secure import client_context
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
    secure = any(entry.address.scheme == "tls" for entry in lab.rigs.values())
    tls = client_context(lab.tls) if secure else None
    rigs = [_communicator(lab, entry, tls) for entry in lab.rigs.values()]
    return Services(rigs, timeout=lab.timeouts.reply_s)


def _communicator(lab: Lab, entry: RigEntry, tls: ssl.SSLContext | None) -> EchoProtocol:
    options = Options(
        dialect=Dialect(entry.dialect),
        timing=Timing(plain_retries=entry.retries),
        echo_timeout_s=lab.timeouts.echo_s,
        reply_timeout_s=lab.timeouts.reply_s,
        tls=tls,
    )
    return EchoProtocol(entry.address, "client", name=entry.name, options=options)
