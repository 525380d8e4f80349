"""Messages to bytes and back (pure).

From: `net.echo` (values) and transports (bytes).  To: the other of the two.

A message on the wire is one UTF-8 JSON array.  Without ids (dialect ``iblutil``)::

    [2, "2024-01-01_1_subject", null]
     |   `-- arguments
     `-- event, 0 for an error

With ids (dialect ``rigctl``) the envelope follows as the last element::

    [2, "2024-01-01_1_subject", null, {"rigctl": {"kind": "command", "epoch": "9f..", "seq": 7}}]

On TCP messages follow each other with no delimiter; `ArrayReader` finds their ends.
"""

import hashlib
import json
import re
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from rigctl.errors import ProtocolError
from rigctl.messages import ERROR, Event, Message

MAX_MESSAGE_BYTES = 1_000_000
"""What is read or written at the most, unless configured."""

MAX_DEPTH = 64
"""How deep arrays and objects may be nested in a message."""

_KEY = "rigctl"


class Kind(StrEnum):
    """What an enveloped message is."""

    HELLO = "hello"
    COMMAND = "command"
    ECHO = "echo"
    REPLY = "reply"
    ERROR = "error"


# Bounds of what an envelope may say: they keep NaN out, and what grows with every peer small.
_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Clock = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the ``rigctl`` dialect adds to a message; keys unknown to us are passed over."""

    kind: Kind
    epoch: _Name = ""
    """Random, new at every start of the sender."""
    seq: _Count = 0
    """Counts the sender's messages of this epoch; (epoch, seq) is the message's id."""
    answers: tuple[_Name, _Count] | None = None
    """The id of the message that an echo, a reply or an error is about."""
    digest: _Name = ""
    """In an echo: `digest_of` the bytes received."""
    clock: _Clock | None = None
    """The sender's clock at sending, seconds since 1970."""
    within_s: _Seconds | None = None
    """In a command: how long the sender waits for the reply."""
    version: _Name = ""
    """In a hello: the version of the dialect that the sender speaks."""
    large: _Count | None = None
    """In a reply: it has so many bytes and is to be fetched by a stream: ask there once more."""
    whole: bool = False
    """In a command: no stream can be opened, so that its answer is to come in one datagram."""
    session: _Name = ""
    """Where a key is set: which session it belongs to; in a server's hello: the one it gives."""
    mac: _Name = ""
    """Where a key is set: the seal (`net.seal`); the last key, so that it stands at the end."""


class Wire(msgspec.Struct, frozen=True):
    """A message as it crosses the wire."""

    message: Message
    envelope: Envelope | None = None


def encode(message: Message, envelope: Envelope | None = None) -> bytes:
    """Return the bytes of a message.

    Raises:
        TypeError: an argument cannot be written as JSON.
    """
    parts: list[Any] = [int(message.event), *message.args]
    if envelope is not None:
        parts.append({_KEY: envelope})
    try:
        return msgspec.json.encode(parts)
    except (ValueError, RecursionError, OverflowError) as error:
        # A lone surrogate, a number of thousands of digits, a list that holds itself.
        raise TypeError(f"it cannot be written as JSON: {error}") from error


def decode(data: bytes) -> Wire:
    """Read the bytes of one message.

    Raises:
        ProtocolError: they are not a message; the text says why.
    """
    parts = _array(data)
    envelope = None
    if len(parts) > 1 and isinstance(parts[-1], dict) and list(parts[-1]) == [_KEY]:
        envelope = _envelope(parts.pop()[_KEY])
    return Wire(Message(_event(parts[0]), tuple(parts[1:])), envelope)


def digest_of(data: bytes) -> str:
    """Return the digest that an echo carries of the bytes that it confirms."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _array(data: bytes) -> list[Any]:
    _check_depth(data)
    try:
        parts = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        parts = _lenient(data)
    if not isinstance(parts, list) or not parts:
        raise ProtocolError("a message is a JSON array that begins with its event")
    return parts


def _lenient(data: bytes) -> Any:
    """Read what Python's json writes and JSON forbids: NaN and Infinity (peers send them)."""
    try:
        value = json.loads(data.decode())
        msgspec.json.encode(value)  # it also takes lone surrogates, which no message can carry
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from error
    return value


def _check_depth(data: bytes) -> None:
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        ArrayReader(len(data)).feed(data)  # it counts brackets outside strings only


def _envelope(value: object) -> Envelope:
    try:
        return msgspec.convert(value, Envelope)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"bad envelope: {error}") from error


def _event(value: object) -> Event:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProtocolError("a message begins with an integer, its event")
    event = _EVENTS.get(value)
    if event is None:
        raise ProtocolError(f"there is no event {value}")
    return event


_EVENTS: dict[int, Event] = {int(event): event for event in (ERROR, *Event)}


_OUTSIDE = re.compile(rb'["\[\]{}]')
_INSIDE = re.compile(rb'["\\]')
_SPACE = re.compile(rb"[ \t\r\n]*")
_RAW = msgspec.json.Decoder(list[msgspec.Raw])
_WHOLE_BYTES = 4096
"""Up to which size a decoder written in C is asked first whether all that came is one message."""


class ArrayReader:
    """Cuts a stream of bytes into JSON arrays, whatever the pieces it comes in.

    Args:
        max_bytes: the largest message accepted.
    """

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the messages that they complete.

        Raises:
            ProtocolError: as `next`.
        """
        self.add(data)
        return list(iter(self.next, None))

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self._buffer += data

    def next(self) -> bytes | None:
        """Return the next message that is complete, None if none is.

        Raises:
            ProtocolError: no array begins where one must, or it is too large or too deep; the
                stream cannot be read any further.
        """
        end = self._whole() or self._next_end()
        if (len(self._buffer) if end is None else end) > self._max_bytes:
            raise ProtocolError(f"a message of more than {self._max_bytes} bytes")
        if end is None:
            return None
        message = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._scanned = 0
        return message

    def _whole(self) -> int | None:
        """Return the buffer's length if it is just one message, as it mostly is."""
        size = len(self._buffer)
        if self._scanned or not 0 < size <= _WHOLE_BYTES or self._buffer[-1] != ord("]"):
            return None
        try:
            parts = _RAW.decode(self._buffer)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        return size if isinstance(parts, list) and self._buffer.count(b"[") <= MAX_DEPTH else None

    def _next_end(self) -> int | None:
        """Scan on; return where the array at the buffer's start ends, None if not yet."""
        if not self._scanned:
            self._skip_space()
        while match := (_INSIDE if self._in_string else _OUTSIDE).search(
            self._buffer, self._scanned
        ):
            self._scanned = match.end()
            if not self._step(match[0]):
                return None
            if not self._depth:
                return self._scanned
        self._scanned = max(self._scanned, len(self._buffer))
        return None

    def _step(self, token: bytes) -> bool:
        """Take one token; return False when the byte that it escapes is still to come."""
        if token == b'"':
            self._in_string = not self._in_string
        elif token == b"\\":
            if self._scanned == len(self._buffer):
                self._scanned -= 1  # met again when the next piece has come
                return False
            self._scanned += 1
        else:
            self._depth += 1 if token in b"[{" else -1
            if self._depth > MAX_DEPTH:
                raise ProtocolError(f"a message nested deeper than {MAX_DEPTH}")
        return True

    def _skip_space(self) -> None:
        if match := _SPACE.match(self._buffer):
            del self._buffer[: match.end()]
        if self._buffer and self._buffer[0] != ord("["):
            raise ProtocolError("a message is a JSON array and begins with '['")
