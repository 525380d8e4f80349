"""How far the rigs' clocks are from this computer's.

From: what echoes have told each communicator.  To: reports; handshakes and commands, for sessions.
"""

import socket

import msgspec

from rigctl.messages import Json
from rigctl.net import EchoProtocol
from rigctl.reports import ClockReport, ClockSample


def clock_report(rig: EchoProtocol, limit_s: float) -> ClockReport | None:
    """Return how far a rig's clock is from ours; None before an echo has told it.

    Args:
        rig: the way to it.
        limit_s: what the lab allows of the offset, and of what is not known of it.
    """
    offset = rig.clock_offset
    if offset is None:
        return None
    return ClockReport(
        offset.offset_s,
        offset.bound_s,
        offset.drift_ppm,
        offset.drift_bound_ppm,
        offset.round_trip_s,
        offset.steps,
        limit_s,
        over_limit=max(abs(offset.offset_s), offset.bound_s) > limit_s,
    )


def clock_sample(rig: EchoProtocol) -> ClockSample | None:
    """Return what is told to a rig of its clock, to be stored; None before it is known."""
    offset = rig.clock_offset
    if offset is None:
        return None
    return ClockSample(socket.gethostname(), offset.offset_s, offset.bound_s, offset.drift_ppm)


def clock_data(rig: EchoProtocol) -> dict[str, Json]:
    """Return a clock sample as the data of a command; empty where nothing is known."""
    sample = clock_sample(rig)
    return {"clock": msgspec.to_builtins(sample)} if sample else {}
