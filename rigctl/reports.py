"""What rigs say of themselves: one shape, on the wire, the command line and the API (pure).

From: the daemon, which fills in a rig's own part.  To: the controller, which adds what it knows of
the way there; people and programs, as JSON.
"""

from typing import Any

import msgspec


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a rig."""

    device: str
    required: bool
    recorded: bool
    situation: str
    """What is the case with its device, for people."""
    lost: bool
    """Whether a device or connection that was there is gone."""
    flowing: bool
    """Whether samples come."""
    channels: int
    rate_hz: float
    """Nominal; 0 before the stream has begun."""
    measured_hz: float | None
    """Over the last seconds; None before there is anything to measure."""
    received: int
    """Samples since the ring was opened."""
    age_s: float | None
    """Since the last sample came; None before the first."""
    samples: int
    """Of this session, written."""
    durable_samples: int
    """Of this session, safe on disk."""
    gaps: int
    missing_samples: int
    overruns: int
    durable_age_s: float | None = None
    """Since the last sample became safe on disk; None outside a session."""
    failure: str
    """Why not all is recorded; empty while all is well."""


class Condition(msgspec.Struct, frozen=True):
    """Something that is the case beside the status."""

    condition: str
    """``DEGRADED`` or ``RECOVERED``."""
    stream: str
    reason: str


class ClockReport(msgspec.Struct, frozen=True):
    """The rig's clock minus the controller's; the truth lies within +-bound."""

    offset_s: float
    bound_s: float


class RigReport(msgspec.Struct, frozen=True, kw_only=True):
    """One rig."""

    name: str = ""
    """What the rig calls itself."""
    uri: str = ""
    reachable: bool = False
    required: bool = True
    dialect: str = ""
    """How it is spoken to: ``rigctl``, ``iblutil``, or ``auto`` before that is known."""
    status: str | None = None
    """The name of its status; None where it cannot be told."""
    conditions: tuple[Condition, ...] = ()
    exp_ref: str | None = None
    path: str | None = None
    """Where it records to, on the rig."""
    main_sync: bool = False
    """Whether its reference stands for the experiment."""
    armed: bool = False
    """Whether it said that a START could be carried out at once."""
    clock: ClockReport | None = None
    streams: dict[str, StreamReport] = {}
    error: str | None = None
    """Why it cannot be reached."""

    def one_line(self) -> str:
        """Return the status for people, in one line."""
        parts = [str(self.status), *([self.exp_ref] if self.exp_ref else [])]
        parts += [f"{c.condition} {c.stream}: {c.reason}" for c in self.conditions]
        return "; ".join(parts)


class LabReport(msgspec.Struct, frozen=True):
    """All rigs of a lab."""

    exp_ref: str | None
    """The reference that its rigs share, if they do."""
    rigs: dict[str, RigReport]


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that controllers and rigs exchange with EXPINFO before INIT (protocol 1.0.0)."""

    exp_ref: str | None = None
    main_sync: bool = False
    experiment_description: dict[str, Any] = {}
    master: bool = False
    """Whether this is the controller's half."""
    rig_version: str = ""
    spec_version: str = ""
    report: RigReport | None = None
    """Beside those fields, a rig of ours tells how it is."""
