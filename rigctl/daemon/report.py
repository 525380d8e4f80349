"""What a rig says of itself: one JSON shape, on the wire, the command line and the API.

From: `daemon.daemon`.  To: replies to EXPINFO and EXPSTART, systemd's STATUS.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from rigctl.daemon.health import conditions
from rigctl.daemon.states import State
from rigctl.daemon.streams import StreamFigures
from rigctl.messages import PROTOCOL_VERSION


def rig_report(state: State, streams: Mapping[str, StreamFigures], path: str) -> dict[str, Any]:
    """Return a rig's part of the status report."""
    found = conditions(state.status, streams)
    return {
        "status": state.status.name,
        "exp_ref": str(state.exp_ref) if state.exp_ref else None,
        "path": path or None,
        "conditions": msgspec.to_builtins(found),
        "streams": msgspec.to_builtins(dict(streams)),
    }


def handshake(state: State, main_sync: bool, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that labs exchange with EXPINFO before INIT, and the report beside them."""
    return {
        "exp_ref": str(state.exp_ref) if state.exp_ref else None,
        "main_sync": main_sync,
        "experiment_description": {},
        "master": False,
        "rig_version": version("rigctl"),
        "spec_version": PROTOCOL_VERSION,
        "report": dict(report),
    }


def one_line(report: Mapping[str, Any]) -> str:
    """Return a rig's status for people, in one line."""
    parts = [str(report["status"])]
    if report["exp_ref"]:
        parts.append(str(report["exp_ref"]))
    parts += [f"DEGRADED {c['stream']}: {c['reason']}" for c in report["conditions"]]
    return "; ".join(parts)
