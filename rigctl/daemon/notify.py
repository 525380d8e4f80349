"""Tell systemd how the daemon is (sd_notify(3)); nothing happens where it does not ask.

From: the daemon.  To: the datagram socket that ``$NOTIFY_SOCKET`` names.
"""

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(**facts: str | int) -> None:
    """Send facts such as ``READY=1``, ``STATUS="..."``, ``WATCHDOG=1``, ``STOPPING=1``."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    text = "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in facts.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)  # nobody waits for one who does not read
            sock.connect(address)
            sock.send(text.encode())
    except OSError as error:
        log.warning("systemd could not be told %s: %s", text, error)


def watchdog_interval_s() -> float | None:
    """Return how often systemd wants to hear of us, if it does: half of its limit."""
    limit, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not limit.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(limit) / 2e6 or None
