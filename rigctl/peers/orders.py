"""What the daemon tells its worker processes and what they tell it.

From: `peers.process` on one side, `peers.worker` on the other.  To: the other of the two.
One JSON object a line; its ``type`` says which of these it is.
"""

from typing import Any

import msgspec

from rigctl.config.keeping import Roll
from rigctl.recording.append_file import FileDigest


class _Line(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """Base of all lines."""


# --- orders: daemon to worker


class SourceSetup(_Line, frozen=True):
    """The first order to a source."""

    rig: str
    stream: str
    device: str
    settings: dict[str, Any]
    ring_s: float


class RecorderSetup(_Line, frozen=True):
    """The first order to a recorder."""

    rig: str
    flush_s: float
    roll: Roll | None = None
    """When a stream goes on in a further part; None: never."""


class Begin(_Line, frozen=True):
    """Record into a session, from an instant or from now on."""

    session: str
    """The path of its folder."""
    exp_ref: str
    streams: dict[str, str | None]
    """Every stream to record, with the ring that it has at present."""
    start_s: float | None = None
    """The instant on the rig's clock with which the window begins, past or future."""
    resume: bool = False
    """Whether the session was recorded before a crash, is in order again, and goes on."""
    pre_roll_s: float = 0.0
    """How much of what came before `start_s` is recorded, too, as far as the rings have it."""
    since_unix_s: float | None = None
    """To resume: when it was last seen to be recorded, if that is known."""


class Attach(_Line, frozen=True):
    """A stream goes on in another ring."""

    stream: str
    ring: str


class Note(_Line, frozen=True):
    """Put something that a source noticed among the session's events."""

    stream: str
    kind: str
    text: str
    facts: dict[str, Any]
    at: int
    """The ring's sample at which it was noticed."""


class Finish(_Line, frozen=True):
    """Record up to an instant, or what has arrived so far, then close all files."""

    stop_s: float | None = None
    """The instant on the rig's clock; what is taken then does not belong to it any more."""


# --- reports: worker to daemon


class Ready(_Line, frozen=True):
    """The worker is up and takes orders."""


class Opened(_Line, frozen=True):
    """A source writes into this ring from now on."""

    ring: str
    channels: int
    rate_hz: float
    dtype: str


class Situation(_Line, frozen=True):
    """What is the case with a source's device, for people."""

    text: str
    lost: bool
    """Whether a device or connection that was there is gone."""
    flowing: bool
    """Whether samples come."""


class Noticed(_Line, frozen=True):
    """Something about a stream worth an event and a line in the log."""

    kind: str
    text: str
    facts: dict[str, Any] = {}
    at: int = 0
    """The ring's sample at which it was noticed."""


class Interruption(msgspec.Struct, frozen=True):
    """What a crash, or a full disk, cost a stream that goes on."""

    folder: str
    position: int
    """The first sample behind it, counted from the folder's beginning."""
    missing: int
    """How many samples lie between, estimated by the clock; 0 where it cannot tell."""
    since_unix_s: float | None
    until_unix_s: float
    is_exact: bool = False
    """Whether `missing` is known, for the ring has outlived it; 0: nothing is lost."""
    cause: str = "a crash"


class Counts(msgspec.Struct, frozen=True):
    """What is on disk of a stream."""

    samples: int = 0
    durable_samples: int = 0
    gaps: int = 0
    missing_samples: int = 0
    overruns: int = 0
    bytes: int = 0
    failure: str = ""
    """Why nothing more is recorded of it, or not at present; empty while all is well."""
    trouble: str = ""
    """What was lost a moment ago, while more is recorded; empty while all is well."""
    positions: dict[str, tuple[float | None, float | None]] = {}
    """By folder: where the window's start and stop fall, in samples and fractions, as known."""
    interruption: Interruption | None = None
    """What was lost before it was resumed, once its first sample came."""
    ended: bool = False
    """Whether nothing more will become durable: its files are closed."""
    short: int = 0
    """How many samples are missing at the end, up to the instant of the stop."""


class Progress(_Line, frozen=True):
    """Where the recorder has got to."""

    streams: dict[str, Counts]


class Ended(_Line, frozen=True):
    """The recorder has closed all files."""

    streams: dict[str, Counts]
    digests: dict[str, FileDigest]
    """Size and hash of the files that only grew, by path below the session."""
    session: str = ""
    """The path of the last session that was begun."""


Order = SourceSetup | RecorderSetup | Begin | Attach | Note | Finish
Report = Ready | Opened | Situation | Noticed | Progress | Ended
