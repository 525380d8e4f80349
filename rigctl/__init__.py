"""rigctl: run one experiment on several computers, with confirmed control and truthful recording.

async with rigctl.connect("configs/demo.yaml") as services:
    await services.init({"exp_ref": ref})
    replies = await services.start(ref)
    ...
    await services.stop()
    await services.cleanup()

session = rigctl.open_session(ref)      # streams, times, events, clock, gaps; see recording.opened
"""

from rigctl.controller import Services, connect
from rigctl.errors import RigctlError, RigsFailed
from rigctl.messages import Event, ExpRef, Message, Status
from rigctl.net import EchoProtocol
from rigctl.recording.opened import open_session

__version__ = "0.1.0"

ExpMessage = Event
"""The predecessor's name of `Event`."""
ExpStatus = Status
"""The predecessor's name of `Status`."""

__all__ = [
    "EchoProtocol",
    "Event",
    "ExpMessage",
    "ExpRef",
    "ExpStatus",
    "Message",
    "RigctlError",
    "RigsFailed",
    "Services",
    "Status",
    "connect",
    "open_session",
]
