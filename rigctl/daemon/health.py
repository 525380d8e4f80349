"""Whether a rig is well: from its streams' figures to the conditions that people see.

From: `reports` of its streams, signs of life of its recorder.  To: the rig's own report.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rigctl.config.units import rate_text
from rigctl.messages import Status
from rigctl.reports import Condition, StreamReport

STALL_S = 1.5
"""A stream without a sample for so long is stalled, a recorder without a word for so long hangs;
both show within two seconds."""

FRESH_S = 30.0
"""A recording of which nothing became durable for so long is none."""


@dataclass(frozen=True, slots=True)
class RecorderLife:
    """What is known of the recorder process."""

    flush_s: float
    """How often it makes durable what it has written."""
    silent_s: float = 0.0
    """For how long it has not said a word."""


def conditions(
    status: Status, streams: Mapping[str, StreamReport], recorder: RecorderLife
) -> list[Condition]:
    """Return what is wrong with a rig's recorded streams, while it runs and once it has stopped."""
    found = []
    for name, stream in streams.items():
        if stream.recorded and (reason := _fault(status, stream, recorder)):
            found.append(Condition("DEGRADED", name, reason))
    return found


def disk_conditions(status: Status, warning: str, ended: str) -> list[Condition]:
    """Return what is wrong with the disk that is recorded to.

    Args:
        status: the rig's.
        warning: that little is left, while it is.
        ended: why the recording was ended for it; shown until the session is cleaned up.
    """
    if status not in (Status.RUNNING, Status.STOPPED):
        return []
    text = ended or (warning if status is Status.RUNNING else "")
    return [Condition("DEGRADED", "disk", text)] if text else []


def is_recording(status: Status, streams: Mapping[str, StreamReport]) -> bool:
    """Whether a rig runs and samples become durable, if it records any."""
    ages = [stream.durable_age_s for stream in streams.values() if stream.recorded]
    fresh = [age_s for age_s in ages if age_s is not None and age_s < FRESH_S]
    return status is Status.RUNNING and (bool(fresh) or not ages)


def _fault(status: Status, stream: StreamReport, recorder: RecorderLife) -> str:
    if stream.failure and status in (Status.RUNNING, Status.STOPPED):
        return f"not all was recorded: {stream.failure}"
    if status is not Status.RUNNING:
        return ""
    found = _source_fault(stream) or stream.trouble
    return found or _disk_fault(stream, recorder) or _rate_fault(stream)


def _source_fault(stream: StreamReport) -> str:
    if stream.age_s is None:
        return f"no sample yet: {stream.situation}"
    if stream.lost:
        return stream.situation
    if stream.age_s > _patience_s(STALL_S, stream):
        return f"no sample for {stream.age_s:.1f} s" + (
            "" if stream.flowing else f": {stream.situation}"
        )
    return ""


def _disk_fault(stream: StreamReport, recorder: RecorderLife) -> str:
    if recorder.silent_s > STALL_S:
        return (
            f"the recorder has not answered for {recorder.silent_s:.1f} s: nothing may be written"
        )
    limit_s = _patience_s(recorder.flush_s + STALL_S, stream)
    if stream.durable_age_s is not None and stream.durable_age_s > limit_s:
        return f"nothing was made safe on disk for {stream.durable_age_s:.1f} s"
    return ""


def _rate_fault(stream: StreamReport) -> str:
    if stream.wrong_hz is None:
        return ""
    return f"{rate_text(stream.wrong_hz)} samples a second come, not {rate_text(stream.rate_hz)}"


def _patience_s(least_s: float, stream: StreamReport) -> float:
    """A slow stream is not stalled between two samples."""
    return max(least_s, 3 / stream.rate_hz if stream.rate_hz else 0.0)
