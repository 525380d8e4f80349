"""Whether a rig is well: from its figures to the conditions that people see.

From: `daemon.streams`.  To: status reports, systemd's STATUS.
"""

from collections.abc import Mapping

import msgspec

from rigctl.daemon.streams import StreamFigures
from rigctl.messages import Status

STALL_S = 1.5
"""A stream without a sample for so long is stalled; it shows within two seconds."""


class Condition(msgspec.Struct, frozen=True):
    """Something that is the case beside the status."""

    condition: str
    """``DEGRADED``."""
    stream: str
    reason: str


def conditions(status: Status, streams: Mapping[str, StreamFigures]) -> list[Condition]:
    """Return what is wrong with a rig's recorded streams, while it runs and once it has stopped."""
    found = []
    for name, figures in streams.items():
        if figures.recorded and (reason := _fault(status, figures)):
            found.append(Condition("DEGRADED", name, reason))
    return found


def _fault(status: Status, figures: StreamFigures) -> str:
    if figures.failure and status in (Status.RUNNING, Status.STOPPED):
        return f"not all was recorded: {figures.failure}"
    if status is not Status.RUNNING:
        return ""
    if figures.age_s is None:
        return f"no sample yet: {figures.situation}"
    if figures.lost:
        return figures.situation
    if figures.age_s > max(STALL_S, 3 / figures.rate_hz if figures.rate_hz else 0.0):
        return f"no sample for {figures.age_s:.1f} s: {figures.situation}"
    return ""
