"""rigctl: run one experiment on several computers, with confirmed control and truthful recording.

async with rigctl.connect("configs/demo.yaml") as services:
    await services.init({"exp_ref": ref})
    replies = await services.start(ref)
    ...
    await services.stop()
    await services.cleanup()

session = rigctl.open_session(ref)      # streams, times, events, clock, gaps; see recording.opened

The names below are imported when they are first used: every worker process of a rig imports this
package, and none of them needs a controller.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rigctl.controller import Services, connect
    from rigctl.errors import RigctlError, RigsFailed
    from rigctl.messages import Event, ExpRef, Message, Status
    from rigctl.messages import Event as ExpMessage
    from rigctl.messages import Status as ExpStatus
    from rigctl.net import EchoProtocol
    from rigctl.recording.opened import open_session

__version__ = "0.1.0"

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

_PLACES = {
    "rigctl.controller": ("Services", "connect"),
    "rigctl.errors": ("RigctlError", "RigsFailed"),
    "rigctl.messages": ("Event", "ExpRef", "Message", "Status"),
    "rigctl.net": ("EchoProtocol",),
    "rigctl.recording.opened": ("open_session",),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}
_FORMER_NAMES = {"ExpMessage": "Event", "ExpStatus": "Status"}
"""What the predecessor called them."""


def __getattr__(name: str) -> Any:
    found = _FORMER_NAMES.get(name, name)
    if found not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[found]), found)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
