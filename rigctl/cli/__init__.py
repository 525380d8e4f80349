"""The command line: ``rigctl``; the only place that prints.

From: people, scripts, systemd.  To: `controller`, `daemon`, `recording`, `rda`.
"""

from rigctl.cli.group import main

__all__ = ["main"]
