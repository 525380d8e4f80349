"""What a rig's own logic fills in.

From: a lab's file under ``services/``, named in the rig file as ``path.py:Class``.
To: the daemon, which calls the hooks and hosts sources and recording itself.
"""

from pathlib import Path

from rigctl.config import Rig
from rigctl.messages import Json


class Service:
    """A rig's own logic; override the hooks that are needed.

    A hook that raises refuses the command, with its text.  What it returns, if not None, is the
    data of the reply, and must be something that JSON can say.  Hooks run on the daemon's own loop:
    what takes long or blocks belongs into `asyncio.to_thread`.  A hook that has not returned within
    `hook_timeout` of the rig file has failed.

    A daemon that was killed takes up what it did once it is started again: on_init, and on_start
    where the rig was running, are then called anew, with ``"resumed": true`` in their data.

    Args:
        rig: the rig's configuration.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.session_path: Path | None = None
        """The folder of the session, from on_start to on_cleanup."""

    async def on_init(self, exp_ref: str, data: Json) -> Json:
        """Get ready; the sources are open already. `exp_ref` is empty where none was named."""

    async def on_start(self, exp_ref: str, data: Json) -> Json:
        """Begin; the recording runs already."""

    async def on_stop(self, data: Json, immediately: bool) -> Json:
        """Stop; the recording still runs."""

    async def on_cleanup(self, data: Json) -> Json:
        """Release what is held; the session is sealed after this."""
