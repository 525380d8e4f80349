"""The device `rda`: an amplifier whose program offers BrainVision Remote Data Access.

From: `rda.client`.  To: `peers.source`.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from msgspec import Meta, Struct

from rigctl.blocks import Item
from rigctl.rda.client import PORT_FLOAT32, ClientSettings, RdaClient


class RdaDevice:
    """Yields what the amplifier's program sends, across every loss of the connection.

    Args:
        name: the stream's name.
        settings: where the amplifier's program runs.
    """

    class Settings(Struct, frozen=True, forbid_unknown_fields=True):
        """Where the amplifier's program runs, and how long to be patient with it."""

        host: Annotated[str, Meta(min_length=1)]
        port: Annotated[int, Meta(ge=1, le=65535)] = PORT_FLOAT32
        stall_s: Annotated[float, Meta(ge=0.1, le=3600)] = 5.0
        """Silence while data are expected, after which the connection is taken for lost."""
        connect_s: Annotated[float, Meta(ge=0.1, le=3600)] = 5.0
        """How long one attempt to connect may take."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings

    def __aiter__(self) -> AsyncIterator[Item]:
        """Connect, and yield what comes; closing the iterator closes the connection."""
        settings = self.settings
        return aiter(
            RdaClient(
                ClientSettings(
                    settings.host,
                    settings.port,
                    stall_s=settings.stall_s,
                    connect_s=settings.connect_s,
                )
            )
        )
