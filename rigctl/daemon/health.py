"""Whether a rig is well: from its streams' figures to the conditions that people see.

From: `reports` of its streams.  To: the rig's own report.
"""

from collections.abc import Mapping

from rigctl.messages import Status
from rigctl.reports import Condition, StreamReport

STALL_S = 1.5
"""A stream without a sample for so long is stalled; it shows within two seconds."""


def conditions(status: Status, streams: Mapping[str, StreamReport]) -> list[Condition]:
    """Return what is wrong with a rig's recorded streams, while it runs and once it has stopped."""
    found = []
    for name, stream in streams.items():
        if stream.recorded and (reason := _fault(status, stream)):
            found.append(Condition("DEGRADED", name, reason))
    return found


def _fault(status: Status, stream: StreamReport) -> str:
    if stream.failure and status in (Status.RUNNING, Status.STOPPED):
        return f"not all was recorded: {stream.failure}"
    if status is not Status.RUNNING:
        return ""
    if stream.age_s is None:
        return f"no sample yet: {stream.situation}"
    if stream.lost:
        return stream.situation
    if stream.age_s > max(STALL_S, 3 / stream.rate_hz if stream.rate_hz else 0.0):
        return f"no sample for {stream.age_s:.1f} s: {stream.situation}"
    return ""
