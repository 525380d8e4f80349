"""Every fault that a simulated server knows, by name (pure).

From: nobody.  To: `simulator`, the command line, tests, each of which says what a client does.
"""

import struct
from dataclasses import replace

import numpy as np

from rigctl.blocks import Marker
from rigctl.rda import wire
from rigctl.rda.encode import encode, frame
from rigctl.rda.faults import Act, Deed, Fault, Fragments, Moment, Step, Trickle
from rigctl.rda.messages import (
    Data,
    Electrode,
    ImpedanceData,
    ImpedanceStart,
    ImpedanceStop,
    KeepAlive,
    MessageType,
    NewState,
    State,
    Stop,
    Unknown,
)

_NUMBER_LIMIT = 2**32 - 1
_HUGE_POINTS = 200_000
_HUGE_BYTES = 2**24
_TEXTS = b"Stimulus\0S  1\0"
_HEAD_BYTES = wire.HEADER.size + wire.DATA.size


def _instead(*parts: bytes | Deed) -> Step:
    """Send these in the place of a block."""
    return lambda moment: list(parts)


def _before(*parts: bytes) -> Step:
    """Send these, then the usual block."""
    return lambda moment: [*parts, moment.usual]


def _usual(moment: Moment) -> list[Act]:
    return [moment.usual]


def _start(moment: Moment) -> list[Act]:
    return [encode(moment.start), moment.usual]


def _cut(deed: Deed) -> Step:
    return lambda moment: [moment.usual[: len(moment.usual) // 2], deed]


def _head(moment: Moment, points: int, markers: int) -> bytes:
    return wire.DATA.pack(moment.block, points, markers)


def _body(moment: Moment, tail: bytes = b"", points: int | None = None, markers: int = 0) -> bytes:
    """Return the block's message with another tail, or with numbers in its head that are wrong."""
    plain = encode(Data(moment.block, moment.samples))
    stated = len(moment.samples) if points is None else points
    kind = wire.HEADER.unpack_from(plain)[2]
    return frame(kind, _head(moment, stated, markers), plain[_HEAD_BYTES:], tail)


def _points(points: int) -> Step:
    """State more points than there are: a number, or as many more if it is negative."""
    return lambda m: [_body(m, points=points if points > 0 else len(m.samples) - points)]


def _markers(tail: bytes, count: int = 1) -> Step:
    return lambda moment: [_body(moment, tail, markers=count)]


def _marker(texts: bytes, position: int = 0, size: int | None = None) -> bytes:
    stated = wire.MARKER.size + len(texts) if size is None else size
    return wire.MARKER.pack(stated, position, 1, -1) + texts


def _bad_start(*, channels: int | None = None, interval_us: float | None = None) -> Step:
    def step(moment: Moment) -> list[Act]:
        raw = bytearray(encode(moment.start))
        count = len(moment.start.names) if channels is None else channels
        interval = moment.start.interval_us if interval_us is None else interval_us
        struct.pack_into("<Id", raw, wire.HEADER.size, count, interval)
        return [bytes(raw), moment.usual]

    return step


def _resolutions(moment: Moment) -> list[Act]:
    wrong = (0.0, float("nan"), float("inf"), -0.5)
    count = len(moment.start.names)
    resolutions = tuple(wrong[number % len(wrong)] for number in range(count))
    return [encode(replace(moment.start, resolutions=resolutions)), moment.usual]


def _names(raw: bytes) -> Step:
    """Announce channels whose names are these bytes."""

    def step(moment: Moment) -> list[Act]:
        count = len(moment.start.names)
        head = wire.START.pack(count, moment.start.interval_us)
        values = struct.pack(f"<{count}d", *moment.start.resolutions)
        return [frame(MessageType.START, head, values, raw), moment.usual]

    return step


def _other_type(moment: Moment) -> list[Act]:
    dtype = "float32" if moment.samples.dtype == np.int16 else "int16"
    return [encode(Data(moment.block, moment.samples.astype(dtype), moment.markers))]


def _no_points(moment: Moment) -> list[Act]:
    marker = Marker(0, "Stimulus", "S  1")
    return [encode(Data(moment.block, moment.samples[:0], (marker,)))]


def _not_numbers(moment: Moment) -> list[Act]:
    samples = moment.samples.copy()
    if samples.dtype == np.float32:
        samples[0], samples[-1] = np.nan, np.inf
    return [encode(Data(moment.block, samples))]


def _huge(moment: Moment) -> list[Act]:
    points = min(_HUGE_POINTS, _HUGE_BYTES // moment.samples[0].nbytes)
    return [encode(Data(moment.block, np.repeat(moment.samples[:1], points, axis=0)))]


def _fewer_channels(moment: Moment) -> list[Act]:
    start, samples = moment.start, moment.samples[:, :1]
    fewer = replace(start, names=start.names[:1], resolutions=start.resolutions[:1])
    return [encode(fewer), encode(Data(moment.block, samples))]


_UNKNOWN = [encode(Unknown(kind, 40)) for kind in (77, 100_000) for _ in range(50)]
_IMPEDANCES = [
    encode(one)
    for one in (
        ImpedanceStart(),
        ImpedanceData((Electrode("Fp1", 12), Electrode("GND", -1))),
        ImpedanceStop(),
    )
]
_STATES = [encode(NewState(state)) for state in (*State, 99, -1, State.RECORDING)]
_DATA32 = MessageType.DATA32.value

FAULTS: dict[str, Fault] = {
    "not-rda": Fault("is a server of another kind", greeting=b"SSH-2.0-OpenSSH_9.2\r\n"),
    "wrong-guid": Fault("sends bytes that are no message", (_instead(b"\x8e\x45" * 20),)),
    "size-small": Fault(
        "states 23 bytes for a message", (_instead(wire.HEADER.pack(wire.GUID, 23, _DATA32)),)
    ),
    "size-huge": Fault(
        "states 4 GB for a message",
        (_instead(wire.HEADER.pack(wire.GUID, _NUMBER_LIMIT, _DATA32)),),
    ),
    "short-body": Fault("ends data before their head does", (_instead(frame(_DATA32, b"1234")),)),
    "points-over": Fault("states one point more than there is", (_points(-1),)),
    "points-absurd": Fault("states 4 billion points", (_points(_NUMBER_LIMIT),)),
    "trailing-bytes": Fault(
        "puts bytes behind the samples", (lambda m: [_body(m, b"not described")],)
    ),
    "no-channels": Fault("announces 0 channels", (_bad_start(channels=0), _usual, _start)),
    "many-channels": Fault(
        "announces 4 billion channels", (_bad_start(channels=_NUMBER_LIMIT), _usual, _start)
    ),
    "interval-zero": Fault(
        "announces an interval of 0", (_bad_start(interval_us=0.0), _usual, _start)
    ),
    "interval-nan": Fault(
        "announces no number as its interval",
        (_bad_start(interval_us=float("nan")), _usual, _start),
    ),
    "interval-inf": Fault(
        "announces an endless interval", (_bad_start(interval_us=float("inf")), _usual, _start)
    ),
    "resolutions": Fault(
        "announces resolutions of 0, NaN, infinity and below 0", (_resolutions, _usual, _start)
    ),
    "names-missing": Fault("announces no names", (_names(b""), _usual, _start)),
    "names-twice": Fault("announces names that are equal", (_names(b"Cz\0Cz\0"), _usual, _start)),
    "names-bytes": Fault(
        "announces names in unknown bytes, the last unended",
        (_names(b"\xb5V\0\x81\x8d\0\xff"), _usual, _start),
    ),
    "no-start": Fault("announces nothing to who comes late", (_start,), greeting=b""),
    "mixed-types": Fault("sends both types of samples", (_other_type, _other_type, _usual)),
    "no-points": Fault("sends a block without points", (_no_points,)),
    "not-numbers": Fault("sends NaN and infinity as samples", (_not_numbers,)),
    "huge-block": Fault("sends a block of up to 200 000 points", (_huge,)),
    "markers-absurd": Fault("states 4 billion markers", (_markers(b"", _NUMBER_LIMIT),)),
    "marker-size-zero": Fault("states a marker of 0 bytes", (_markers(_marker(b"", size=0)),)),
    "marker-size-over": Fault(
        "states a marker larger than its message", (_markers(_marker(b"a", size=9999)),)
    ),
    "marker-size-double": Fault(
        "states texts of markers twice too long",
        (_markers(2 * _marker(_TEXTS, size=wire.MARKER.size + 2 * len(_TEXTS)), 2),),
    ),
    "marker-outside": Fault(
        "places markers outside of their block",
        (_markers(_marker(_TEXTS, -7) + _marker(_TEXTS, 10**6), 2),),
    ),
    "marker-one-text": Fault("sends one text in a marker", (_markers(_marker(b"Stimulus:S1\0")),)),
    "marker-bytes": Fault(
        "sends unknown bytes and no end in a marker", (_markers(_marker(b"\xff\x81\0\xb5V")),)
    ),
    "gap": Fault("drops three blocks", (_instead(), _instead(), _instead())),
    "repeat": Fault("sends a block twice", (lambda m: [m.usual, m.usual],)),
    "fall": Fault("numbers blocks from 0 again", (_usual,), renumbers=True),
    "start-again": Fault("announces the same again", (_start,)),
    "start-other": Fault("announces one channel for a while", (_fewer_channels, _start)),
    "stop-start": Fault(
        "stops twice, sends on, and starts",
        (_instead(encode(Stop()), encode(Stop())), _usual, _start),
    ),
    "unknown-types": Fault("sends messages of unknown types", (_before(*_UNKNOWN),)),
    "keep-alives": Fault("sends 5000 keep-alives", (_before(encode(KeepAlive()) * 5000),)),
    "impedances": Fault("measures impedances", (_before(*_IMPEDANCES),)),
    "states": Fault("goes through all states", (_before(*_STATES),)),
    "fragments": Fault("sends a block byte by byte", (lambda m: [Fragments(m.usual)],)),
    "close": Fault("closes between two messages", (_instead(Deed.CLOSE),)),
    "close-within": Fault("closes within a message", (_cut(Deed.CLOSE),)),
    "reset": Fault("resets the connection", (_cut(Deed.RESET),)),
    "silence": Fault("falls silent and stays", (_instead(Deed.FALL_SILENT),)),
    "trickle": Fault("goes on with ten bytes a second", (lambda m: [Trickle(m.usual)],)),
}
