"""A rig's own logic, as short as it can be: a shutter that opens while the rig records.

From: the daemon, which calls the hooks.  To: the log; a real one would drive its hardware here.
"""

import logging
from typing import Any

from rigctl.daemon import Service

log = logging.getLogger("rigctl.services.shutter")


class Shutter(Service):
    """Opens when the recording runs, closes before it stops."""

    is_open = False

    async def on_start(self, exp_ref: str, data: Any) -> None:
        """Open the shutter; raising here would refuse the command, with the text."""
        self.is_open = True
        log.info("shutter open for %s", exp_ref)

    async def on_stop(self, data: Any, immediately: bool) -> None:
        """Close it while the recording still runs."""
        self.is_open = False
        log.info("shutter closed")
