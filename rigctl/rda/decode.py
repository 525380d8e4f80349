"""The body of one RDA message becomes its typed value (pure).

From: `protocol.Parser`.  To: `messages`. The layouts are drawn in `wire`.

A body that is too short for what it says breaks the protocol; a START or INFO that is whole but
cannot be used is a `Rejected`, and costs only itself.
"""

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from rigctl.errors import ProtocolError
from rigctl.rda import wire
from rigctl.rda.markers import read_markers
from rigctl.rda.messages import (
    Data,
    Electrode,
    ImpedanceData,
    ImpedanceStart,
    ImpedanceStop,
    Info,
    KeepAlive,
    Message,
    MessageType,
    NewState,
    Rejected,
    Start,
    Stop,
    StrayData,
    Unknown,
)
from rigctl.rda.text import UNIT_BYTES, channel_names, split_texts, split_wide_texts, wide_end

SAMPLE_TYPES: dict[int, np.dtype[Any]] = {
    MessageType.DATA16.value: np.dtype("<i2"),
    MessageType.DATA32.value: np.dtype("<f4"),
}
"""The samples of each type of data message."""


def decode(kind: int, body: memoryview, channels: int) -> Message:
    """Return the message with this type and body.

    Args:
        kind: the type in the header.
        body: all behind the header; samples stay a view of it.
        channels: of the last START; 0 where none counts.

    Raises:
        ProtocolError: the body is too short for what it says.
    """
    if kind in SAMPLE_TYPES:
        return _data(kind, body, channels)
    decoder = _DECODERS.get(kind)
    return decoder(body) if decoder else Unknown(kind, wire.HEADER.size + len(body))


def _data(kind: int, body: memoryview, channels: int) -> Data | StrayData:
    _need(body, wire.DATA.size, kind)
    block, points, count = wire.DATA.unpack_from(body)
    if not channels:
        return StrayData(block, points)
    dtype = SAMPLE_TYPES[kind]
    end = wire.DATA.size + points * channels * dtype.itemsize
    _need(body, end, kind)
    samples = np.ndarray((points, channels), dtype, body, wire.DATA.size)
    if not count and end == len(body):
        return Data(block, samples)
    markers, faults = read_markers(bytes(body[end:]), count)
    return Data(block, samples, markers, faults)


def _start(body: memoryview) -> Start | Rejected:
    _need(body, wire.START.size, MessageType.START)
    channels, interval_us = wire.START.unpack_from(body)
    reason = _unusable_channels(channels) or _unusable_interval(interval_us)
    if reason:
        return Rejected(MessageType.START, reason)
    stated, raw = _resolutions(body, wire.START.size, channels, MessageType.START)
    resolutions = tuple(value if value and math.isfinite(value) else 1.0 for value in stated)
    changed = sum(kept != value for kept, value in zip(resolutions, stated, strict=True))
    bad = (f"{changed} resolutions are 0 or not finite: 1.0 is used",) if changed else ()
    names, faults = channel_names(split_texts(raw, channels), channels)
    return Start(interval_us, resolutions, names, bad + faults)


def _info(body: memoryview) -> Info | Rejected:
    _need(body, wire.INFO.size, MessageType.INFO)
    version, channels, interval_us = wire.INFO.unpack_from(body)
    reason = _unusable_channels(channels)
    if reason:
        return Rejected(MessageType.INFO, reason)
    resolutions, raw = _resolutions(body, wire.INFO.size, channels, MessageType.INFO)
    texts = split_wide_texts(raw, 2 * channels)
    texts += [""] * (2 * channels - len(texts))
    return Info(version, interval_us, resolutions, tuple(texts[:channels]), tuple(texts[channels:]))


def _resolutions(
    body: memoryview, begin: int, channels: int, kind: MessageType
) -> tuple[tuple[float, ...], bytes]:
    layout = struct.Struct(f"<{channels}d")
    end = begin + layout.size
    _need(body, end, kind)
    return layout.unpack_from(body, begin), bytes(body[end:])


def _unusable_channels(channels: int) -> str:
    if 1 <= channels <= wire.MAX_CHANNELS:
        return ""
    return f"it states {channels} channels; 1 to {wire.MAX_CHANNELS} are possible"


def _unusable_interval(interval_us: float) -> str:
    lowest, highest = wire.INTERVALS_US
    if lowest <= interval_us <= highest:  # false for NaN
        return ""
    return f"it states a sampling interval of {interval_us} µs: does the program show a signal?"


def _new_state(body: memoryview) -> NewState:
    _need(body, wire.NEW_STATE.size, MessageType.NEW_STATE)
    return NewState(*wire.NEW_STATE.unpack_from(body))


def _impedance(body: memoryview) -> ImpedanceData | Rejected:
    _need(body, wire.COUNT.size, MessageType.IMPEDANCE_DATA)
    (count,) = wire.COUNT.unpack_from(body)
    raw, begin = bytes(body), wire.COUNT.size
    electrodes = []
    for _ in range(count):
        end = wide_end(raw, begin + wire.ELECTRODE.size)
        if end < 0:
            return Rejected(
                MessageType.IMPEDANCE_DATA, f"it ends before the {count} electrodes that it states"
            )
        electrodes.append(_electrode(raw, begin, end))
        begin = end + UNIT_BYTES
    return ImpedanceData(tuple(electrodes))


def _electrode(raw: bytes, begin: int, end: int) -> Electrode:
    x, y, kohm = wire.ELECTRODE.unpack_from(raw, begin)
    name = raw[begin + wire.ELECTRODE.size : end].decode("utf-16-le", errors="replace")
    return Electrode(name, kohm, x, y)


def _need(body: memoryview, size: int, kind: int) -> None:
    if len(body) < size:
        raise ProtocolError(
            f"RDA message {MessageType(kind).name} is too short for what it says: "
            f"{len(body)} bytes where {size} are needed"
        )


_DECODERS: dict[int, Callable[[memoryview], Message]] = {
    MessageType.START: _start,
    MessageType.STOP: lambda body: Stop(),
    MessageType.NEW_STATE: _new_state,
    MessageType.IMPEDANCE_START: lambda body: ImpedanceStart(),
    MessageType.IMPEDANCE_DATA: _impedance,
    MessageType.IMPEDANCE_STOP: lambda body: ImpedanceStop(),
    MessageType.INFO: _info,
    MessageType.KEEP_ALIVE: lambda body: KeepAlive(),
}
