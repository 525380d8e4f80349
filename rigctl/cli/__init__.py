"""The command line: ``rigctl``; the only place that prints.

From: people, scripts, systemd.  To: `controller`, `daemon`, `recording`, `rda`.
"""

import importlib
import sys

_INTERRUPTED = 130
"""As `interrupts.INTERRUPTED`, which is not read yet."""


def main() -> None:
    """Run the command that the command line names; a ^C while it is loaded ends in silence."""
    try:
        # Only here, so that nothing slow is loaded before somebody listens to ^C.
        importlib.import_module("rigctl.cli.group").rigctl()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
