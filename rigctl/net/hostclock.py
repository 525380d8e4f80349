"""How this computer's clock is kept, asked of whatever keeps it.

From: chrony, ptp4l, systemd-timesyncd, the kernel.  To: reports of rigs and controllers.

Nothing here fails: what is not there, or does not answer in time, is left out.
"""

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from rigctl.net import timekeepers
from rigctl.net.adjtimex import kernel_clock
from rigctl.net.timekeepers import KernelClock
from rigctl.reports import HostClock

log = logging.getLogger(__name__)

DEADLINE_S = 2.0
"""Within what time all programs together answer."""

_SYSTEM_FOLDERS = ("/usr/bin", "/usr/sbin", "/bin", "/sbin")
"""Where such programs are, beside the user's own path, which often lacks the last ones."""
_PTP4L_SOCKETS = (Path("/run/ptp4l"), Path("/var/run/ptp4l"))
_TIMESYNCD_FOLDER = Path("/run/systemd/timesync")
"""There while it runs; to ask where it does not run could start it."""

Ask = Callable[..., str]
"""Runs a program with arguments and returns what it says, nothing if it cannot."""


def host_clock(
    ask: Ask | None = None,
    kernel: Callable[[], KernelClock | None] = kernel_clock,
) -> HostClock:
    """Return how this computer's clock is kept; takes `DEADLINE_S` at the most, blocking.

    Args:
        ask: asks programs.
        kernel: asks the kernel.
    """
    ask = ask or Programs(DEADLINE_S)
    word = kernel()
    own = timekeepers.kernel(word) if word else timekeepers.timedated(_timedated(ask))
    answers = [
        timekeepers.ptp4l(_pmc(ask)),
        timekeepers.chrony(ask("chronyc", "-n", "-c", "tracking")),
        timekeepers.timesyncd(_timesyncd(ask)),
    ]
    return timekeepers.judged(answers, own)


class Programs:
    """Asks other programs, all within one deadline.

    Args:
        within_s: how long they may take together.
    """

    def __init__(self, within_s: float) -> None:
        self._until_s = time.monotonic() + within_s

    def __call__(self, program: str, *arguments: str) -> str:
        """Return what a program says; nothing where it is not there, fails or takes too long."""
        place = shutil.which(program, path=os.pathsep.join([_own_path(), *_SYSTEM_FOLDERS]))
        left_s = self._until_s - time.monotonic()
        if place is None or left_s <= 0:
            return ""
        try:
            done = subprocess.run(
                [place, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "LC_ALL": "C"},
                timeout=left_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            log.debug("%s does not say how the clock is kept: %s", program, error)
            return ""
        return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def _own_path() -> str:
    return os.environ.get("PATH", os.defpath)


def _pmc(ask: Ask) -> str:
    if not any(map(os.path.exists, _PTP4L_SOCKETS)):
        return ""
    return ask("pmc", "-u", "-b", "0", "GET TIME_STATUS_NP")


def _timesyncd(ask: Ask) -> str:
    return ask("timedatectl", "show-timesync") if _TIMESYNCD_FOLDER.exists() else ""


def _timedated(ask: Ask) -> str:
    return ask("timedatectl", "show", "-p", "NTPSynchronized")
