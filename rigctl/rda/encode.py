"""A typed RDA message becomes its bytes (pure).

From: `server`, tests.  To: sockets. The layouts are drawn in `wire`.
"""

import struct
from functools import singledispatch

from rigctl.blocks import Marker
from rigctl.rda import wire
from rigctl.rda.messages import (
    Data,
    ImpedanceData,
    ImpedanceStart,
    ImpedanceStop,
    Info,
    KeepAlive,
    Message,
    MessageType,
    NewState,
    Start,
    Stop,
    Unknown,
)
from rigctl.rda.text import encode_text, encode_wide_text

_BLOCK_NUMBERS = 2**32


def encode(message: Message) -> bytes:
    """Return the whole message, header included.

    Raises:
        TypeError: it is one that only a reader makes, or its samples are neither int16 nor float32.
    """
    return _encode(message)


def frame(kind: int, *parts: bytes) -> bytes:
    """Return a message of this type with these parts as its body."""
    size = wire.HEADER.size + sum(map(len, parts))
    return b"".join((wire.HEADER.pack(wire.GUID, size, kind), *parts))


@singledispatch
def _encode(message: object) -> bytes:
    raise TypeError(f"a {type(message).__name__} cannot be sent")


@_encode.register
def _(message: Start) -> bytes:
    channels = len(message.resolutions)
    return frame(
        MessageType.START,
        wire.START.pack(channels, message.interval_us),
        struct.pack(f"<{channels}d", *message.resolutions),
        *map(encode_text, message.names),
    )


@_encode.register
def _(message: Data) -> bytes:
    kinds = {"int16": MessageType.DATA16, "float32": MessageType.DATA32}
    samples = message.samples
    kind = kinds.get(samples.dtype.name)
    if kind is None:
        raise TypeError(f"RDA carries int16 and float32, not {samples.dtype.name}")
    number = message.block % _BLOCK_NUMBERS
    return frame(
        kind,
        wire.DATA.pack(number, len(samples), len(message.markers)),
        samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes(),
        *map(_marker, message.markers),
    )


def _marker(marker: Marker) -> bytes:
    texts = encode_text(marker.type) + encode_text(marker.description)
    size = wire.MARKER.size + len(texts)
    return wire.MARKER.pack(size, marker.position, marker.points, marker.channel) + texts


@_encode.register
def _(message: NewState) -> bytes:
    return frame(MessageType.NEW_STATE, wire.NEW_STATE.pack(message.state))


@_encode.register
def _(message: ImpedanceData) -> bytes:
    parts = [
        wire.ELECTRODE.pack(one.x, one.y, one.kohm) + encode_wide_text(one.name)
        for one in message.electrodes
    ]
    return frame(MessageType.IMPEDANCE_DATA, wire.COUNT.pack(len(parts)), *parts)


@_encode.register
def _(message: Info) -> bytes:
    channels = len(message.resolutions)
    return frame(
        MessageType.INFO,
        wire.INFO.pack(message.recorder_version, channels, message.interval_us),
        struct.pack(f"<{channels}d", *message.resolutions),
        *map(encode_wide_text, message.names),
        *map(encode_wide_text, message.units),
    )


@_encode.register
def _(message: Unknown) -> bytes:
    return frame(message.type, bytes(max(message.size - wire.HEADER.size, 0)))


@_encode.register
def _(message: Stop) -> bytes:
    return frame(MessageType.STOP)


@_encode.register
def _(message: ImpedanceStart) -> bytes:
    return frame(MessageType.IMPEDANCE_START)


@_encode.register
def _(message: ImpedanceStop) -> bytes:
    return frame(MessageType.IMPEDANCE_STOP)


@_encode.register
def _(message: KeepAlive) -> bytes:
    return frame(MessageType.KEEP_ALIVE)
