"""The vocabulary of an experiment: events, statuses, messages and references (pure).

From: callers and `net.codec`.  To: everything that speaks of commands.

Values and names are those of protocol 1.0.0 (`iblutil.io.net`), which labs already run:
a message is one JSON array ``[event, *args]``.
"""

import datetime
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TypeAlias

from rigctl.errors import BadReference

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""What a message can carry."""

PROTOCOL_VERSION = "1.0.0"
"""Version of the events, statuses and arguments below."""


class Event(IntFlag):
    """What a message is about; bit flags, so that several can be awaited at once."""

    EXPINIT = 1
    EXPSTART = 2
    EXPEND = 4
    EXPCLEANUP = 8
    EXPINTERRUPT = 16
    EXPSTATUS = 32
    EXPINFO = 64
    ALYX = 128

    @classmethod
    def parse(cls, value: "Json | Event") -> "Event":
        """Return the event (or combination) meant by a name, a number or an event.

        Names are taken with and without the ``EXP`` prefix, in any case; 0 is the error event.

        Raises:
            ValueError: there is no such event.
            TypeError: the value is neither a name nor a number.
        """
        if isinstance(value, str):
            name = value.strip().upper()
            member = cls.__members__.get(name) or cls.__members__.get(f"EXP{name}")
            if member is None:
                raise ValueError(f"no event {value!r}; there are {', '.join(cls.__members__)}")
            return member
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"an event is a name or a number, not {type(value).__name__}")
        if not 0 <= value <= ANY_EVENT:
            raise ValueError(f"no event {value}; events lie between 1 and {int(Event.ALYX)}")
        return cls(value)

    @property
    def is_single(self) -> bool:
        """Whether this is one event, not a combination and not the error event."""
        return self.value.bit_count() == 1

    @property
    def label(self) -> str:
        """The name as it is shown to users, such as ``EXPSTART`` or ``EXPEND|EXPINTERRUPT``."""
        return "|".join(str(event.name) for event in self) or "ERROR"


ANY_EVENT = Event(255)
"""All events together."""

ERROR = Event(0)
"""The event of an error message: ``[0, "Type: text", event]``."""


class Status(IntEnum):
    """Where a rig is in the life of an experiment."""

    CONNECTED = 0
    INITIALIZED = 10
    RUNNING = 20
    STOPPED = 30

    @classmethod
    def parse(cls, value: "str | int | Status") -> "Status":
        """Return the status meant by a name in any case, a number or a status.

        Raises:
            ValueError: there is no such status.
        """
        if not isinstance(value, str):
            return cls(value)
        member = cls.__members__.get(value.strip().upper())
        if member is None:
            raise ValueError(f"no status {value!r}; there are {', '.join(cls.__members__)}")
        return member


@dataclass(frozen=True, slots=True)
class Message:
    """One message between a controller and a rig."""

    event: Event
    """A single event, or `ERROR`."""
    args: tuple[Json, ...] = ()
    """What follows the event in the array: plain JSON values."""


_REFERENCE = re.compile(r"(\d{4}-\d{2}-\d{2})_(\d{1,6})_([^/\\]+)")
_SUBJECT = re.compile(r"\w[\w.\-]*")
_MAX_SUBJECT_BYTES = 100
_MAX_SEQUENCE = 99_999


@dataclass(frozen=True, slots=True, order=True)
class ExpRef:
    """An experiment reference: the date, the number on that day and the subject."""

    date: datetime.date
    sequence: int
    subject: str

    @classmethod
    def parse(cls, value: "Json | ExpRef") -> "ExpRef":
        """Read ``yyyy-mm-dd_n_subject``, or a mapping with date, sequence and subject.

        The subject becomes a folder: letters, digits, ``_``, ``-`` and ``.`` only, beginning
        with a letter, a digit or ``_``.

        Raises:
            BadReference: with what is wrong and an example of what would be right.
        """
        if isinstance(value, ExpRef):
            return value
        if isinstance(value, Mapping):
            value = "_".join(str(value.get(key, "")) for key in ("date", "sequence", "subject"))
        if not isinstance(value, str):
            raise _bad(repr(value)[:80], "it is not text")
        match = _REFERENCE.fullmatch(unicodedata.normalize("NFC", value))
        if match is None:
            raise _bad(value, "it does not have that form")
        return cls(
            _date(value, match[1]), _sequence(value, match[2]), _checked_subject(value, match[3])
        )

    @property
    def folder(self) -> str:
        """The path of the session below a data root: ``subject/yyyy-mm-dd/nnn``."""
        return f"{self.subject}/{self.date.isoformat()}/{self.sequence:03d}"

    def __str__(self) -> str:
        return f"{self.date.isoformat()}_{self.sequence}_{self.subject}"


def _date(reference: str, text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise _bad(reference, f"{text} is not a date") from error


def _sequence(reference: str, text: str) -> int:
    sequence = int(text)
    if not 1 <= sequence <= _MAX_SEQUENCE:
        raise _bad(reference, f"the number must lie between 1 and {_MAX_SEQUENCE}")
    return sequence


def _checked_subject(reference: str, subject: str) -> str:
    if not _SUBJECT.fullmatch(subject):
        raise _bad(reference, "a subject has letters, digits, '_', '-' and '.', and no leading '.'")
    if len(subject.encode()) > _MAX_SUBJECT_BYTES:
        raise _bad(reference, f"its subject is longer than {_MAX_SUBJECT_BYTES} bytes")
    return subject


def _bad(reference: str, why: str) -> BadReference:
    shown = ascii(reference[:80]).strip("'\"")
    return BadReference(
        f"'{shown}' is not an experiment reference yyyy-mm-dd_n_subject "
        f"(such as 2024-01-01_1_subject): {why}"
    )
