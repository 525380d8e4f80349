"""The rig daemon: hears commands, hosts sources and recording, tells the truth about them."""

from rigctl.daemon.service import Service

__all__ = ["Service"]
