"""Reports of rigs, as they would come from daemons."""

from typing import Any

from rigctl.reports import Condition, LabReport, RigReport, StreamReport


def stream(**more: Any) -> StreamReport:
    """Return a stream that is recorded, with what is different about it."""
    facts: dict[str, Any] = dict.fromkeys(
        ("received", "samples", "durable_samples", "gaps", "missing_samples", "overruns"), 0
    )
    facts |= {"device": "simulated", "required": True, "recorded": True, "situation": "open"}
    facts |= {"lost": False, "flowing": True, "channels": 4, "rate_hz": 1000.0, "failure": ""}
    facts |= {"measured_hz": None, "age_s": None}
    return StreamReport(**facts | more)


def rig(status: str | None = "RUNNING", **more: Any) -> RigReport:
    """Return a rig that answers, with what is different about it."""
    return RigReport(**{"status": status, "reachable": True} | more)


def degraded(stream_name: str) -> Condition:
    """Return the condition of a stream that stalls."""
    return Condition("DEGRADED", stream_name, "no sample yet")


def lab(**rigs: RigReport) -> LabReport:
    """Return the report of a lab."""
    return LabReport(None, rigs)
