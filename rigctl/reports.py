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
    wrong_hz: float | None = None
    """At what rate samples come, where that is surely not the nominal one; else None."""
    durable_age_s: float | None = None
    """Since the last sample became safe on disk; None outside a session."""
    failure: str
    """Why not all is recorded; empty while all is well."""
    trouble: str = ""
    """What was lost a moment ago, while more is recorded; empty while all is well."""


class Condition(msgspec.Struct, frozen=True):
    """Something that is the case beside the status."""

    condition: str
    """``DEGRADED``, ``RECOVERED``, or ``CLOCK``: the computer's wall clock was stepped."""
    stream: str
    """What it is about: a stream, ``disk``, or empty for the rig."""
    reason: str


class DiskReport(msgspec.Struct, frozen=True):
    """The disk that a rig records to."""

    free_bytes: int
    floor_bytes: int
    """A recording is ended when less stays free; 0: never."""
    lasts_s: float | None
    """How long recorded streams take to come to that; None before it is known what they bring."""


class ClockReport(msgspec.Struct, frozen=True):
    """The rig's clock minus the controller's; the truth lies within +-bound."""

    offset_s: float
    bound_s: float
    drift_ppm: float | None = None
    """By how much that changes, in microseconds per second; None before it is known."""
    drift_bound_ppm: float | None = None
    round_trip_s: float | None = None
    """The shortest of the exchanges that are remembered."""
    steps: int = 0
    """How often the rig's clock, or the controller's, jumped meanwhile."""
    limit_s: float | None = None
    """What the lab allows."""
    over_limit: bool = False
    """Whether the offset, or its bound, is more than that."""


class ClockSample(msgspec.Struct, frozen=True):
    """How far a rig's clock was from another one, as it is told to the rig and stored."""

    reference: str
    """The computer whose clock it was compared with."""
    offset_s: float
    """The rig's clock minus the reference's."""
    bound_s: float
    """The truth lies within plus or minus this."""
    drift_ppm: float | None = None


class HostClock(msgspec.Struct, frozen=True, kw_only=True):
    """How a computer's wall clock is kept, by what its keeper says."""

    source: str
    """``chrony``, ``ptp4l``, ``systemd-timesyncd``, ``kernel`` or ``timedated``; empty if none."""
    synchronised: bool | None = None
    """Whether it follows another clock; None where that cannot be told."""
    offset_s: float | None = None
    """This clock minus the one that it follows."""
    error_s: float | None = None
    """By how much it may be wrong."""
    detail: str = ""
    """What else there is to say, for people."""


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
    host_clock: HostClock | None = None
    """How the wall clock of its computer is kept."""
    streams: dict[str, StreamReport] = {}
    disk: DiskReport | None = None
    """None before it was looked at, or where it cannot be."""
    rejected: int = 0
    """How many messages its sockets have rejected since it began: forged, replayed, damaged."""
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


class ClockSurvey(msgspec.Struct, frozen=True, kw_only=True):
    """The clocks of a lab: the controller's own, and every rig's against it."""

    host: str
    """The controller's computer."""
    host_clock: HostClock
    limit_s: float
    """What the lab allows of a rig's offset, and of what is not known of it."""
    rigs: dict[str, RigReport]


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that controllers and rigs exchange with EXPINFO before INIT (protocol 1.0.0)."""

    exp_ref: str | None = None
    main_sync: bool = False
    experiment_description: dict[str, Any] = {}
    master: bool = False
    """Whether this is the controller's half."""
    clock: ClockSample | None = None
    """In the controller's half: how far the rig's clock is from the controller's."""
    rig_version: str = ""
    spec_version: str = ""
    report: RigReport | None = None
    """Beside those fields, a rig of ours tells how it is."""
