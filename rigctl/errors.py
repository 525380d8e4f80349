"""Every error that rigctl raises, as one tree.

RigctlError
├── ConfigError               a configuration file: which, where in it, what would be right
├── BadReference              an experiment reference that is not yyyy-mm-dd_n_subject
├── ProtocolError             bytes that break a protocol's rules
├── RigError                  one rig: its name, its URI, the command
│   ├── NoEcho                ... it never confirmed the command   (a TimeoutError)
│   ├── NoReply               ... it confirmed, but never replied  (a TimeoutError)
│   ├── Unreachable           ... nothing listens there            (a ConnectionError)
│   ├── TooLarge              ... the message does not fit         (a ValueError)
│   ├── RemoteError           ... its own callback for the command failed
│   └── UnknownOutcome        ... it was killed meanwhile: whether it took effect is not known
├── RigsFailed                a fan-out: every rig's own error, by name
│   └── RigsTimedOut          ... all of them timeouts             (a TimeoutError)
├── Refused                   a rig's state does not allow the command
├── JournalError              a journal that cannot be read or written
├── DeviceError               a device that cannot be opened or read
│   └── NoServer              ... nothing that serves it answers    (a ConnectionError)
├── StreamError               a stream that delivers nothing
├── RingError                 shared memory between processes
│   ├── NotYet                ... samples that are not written yet
│   ├── Overrun               ... samples that are already overwritten
│   ├── RingClosed            ... the writer closed the ring
│   └── WriterDied            ... the writer is gone without closing it
└── RecordingError            files of a session
    ├── DiskFull              ... there is no space for them
    ├── SessionExists         ... its folder is there already
    ├── SessionNotFound       ... no such folder
    └── NotRecorded           ... no such rig or stream in it      (a KeyError)
"""

from collections.abc import Mapping
from typing import Any


class RigctlError(Exception):
    """Base of all errors that rigctl raises; its text is meant for the user."""


class ConfigError(RigctlError):
    """A configuration that is refused.

    Args:
        where: the file, with the line where it is known.
        key: the path of the key in the file, such as ``sources.amp.port``; may be empty.
        problem: what is wrong and what would be right.
    """

    def __init__(self, where: str, key: str, problem: str) -> None:
        super().__init__(": ".join(part for part in (where, key, problem) if part))
        self.where = where
        self.key = key
        self.problem = problem


class BadReference(RigctlError, ValueError):
    """An experiment reference that is not ``yyyy-mm-dd_n_subject``."""


class ProtocolError(RigctlError):
    """Bytes from outside that break the rules of their protocol."""


class RigError(RigctlError):
    """One rig did not do what it was told.

    Args:
        text: what happened and what to do, in one sentence.
        name: the rig's name.
        uri: the rig's address.
        command: the event's name, such as ``EXPSTART``; may be empty.
    """

    def __init__(self, text: str, *, name: str = "", uri: str = "", command: str = "") -> None:
        super().__init__(text)
        self.name = name
        self.uri = uri
        self.command = command


class NoEcho(RigError, TimeoutError):
    """The rig did not confirm a message in time."""


class NoReply(RigError, TimeoutError):
    """The rig confirmed a command but did not reply in time: its result is unknown."""


class Unreachable(RigError, ConnectionError):
    """Nothing answers at the rig's address."""


class TooLarge(RigError, ValueError):
    """A message is larger than its transport carries."""


class RemoteError(RigError):
    """The rig's own code for a command failed; the text is the rig's."""


class UnknownOutcome(RigError):
    """The rig had begun the command when it was killed; whether it took effect is not known."""


class RigsFailed(RigctlError):
    """A fan-out in which at least one rig failed.

    Args:
        errors: each failing rig's own error, by the rig's name.
        replies: what the other rigs answered, by name.
        note: what was done about it, such as a roll-back.
    """

    def __init__(
        self,
        errors: Mapping[str, Exception],
        replies: Mapping[str, Any] | None = None,
        note: str = "",
    ) -> None:
        lines = [f"{name}: {error}" for name, error in errors.items()]
        super().__init__("\n".join([*lines, note] if note else lines))
        self.errors = dict(errors)
        self.replies = dict(replies or {})
        self.note = note


class RigsTimedOut(RigsFailed, TimeoutError):
    """A fan-out in which every failing rig failed by a timeout."""


class Refused(RigctlError):
    """A command that the rig's state does not allow."""


class JournalError(RigctlError):
    """A journal that cannot be opened, read or written."""


class DeviceError(RigctlError):
    """A device that cannot be opened or read."""


class NoServer(DeviceError, ConnectionError):
    """Nothing answers where a device's server should be."""


class StreamError(RigctlError):
    """A stream that delivers nothing where samples are required."""


class RingError(RigctlError):
    """A ring in shared memory that cannot serve."""


class NotYet(RingError):
    """Samples that are not written yet."""


class Overrun(RingError):
    """Samples that the writer has overwritten.

    Args:
        text: what was asked for.
        tail: the oldest sample index that is still there.
        missing: how many samples before it were asked for, where that is known.
    """

    def __init__(self, text: str, *, tail: int = 0, missing: int = 0) -> None:
        super().__init__(text)
        self.tail = tail
        self.missing = missing


class RingClosed(RingError):
    """The writer has closed the ring; no sample will follow."""


class WriterDied(RingError):
    """The writing process is gone without closing its ring."""


class RecordingError(RigctlError):
    """Files of a session that cannot be written or read."""


class DiskFull(RecordingError):
    """There is no space for a file of a session; there may be again later."""


class SessionExists(RecordingError):
    """The folder of a session is there already; nothing is overwritten."""


class SessionNotFound(RecordingError):
    """There is no such session."""


class NotRecorded(RecordingError, KeyError):
    """A session has no such rig or stream, or several where one is meant."""

    def __str__(self) -> str:  # KeyError's own is quoted
        return str(self.args[0])
