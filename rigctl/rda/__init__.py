"""BrainVision Remote Data Access: the protocol (pure), a client and a simulated server."""

from rigctl.rda.live import Client

__all__ = ["Client"]
