"""Messages written by hand from the protocol's description, not by our encoder."""

import struct

GUID = bytes.fromhex("8E 45 58 43 96 C9 86 4C AF 4A 98 BB F6 C9 14 50")


def message(kind: int, body: bytes = b"", *, size: int | None = None) -> bytes:
    stated = 24 + len(body) if size is None else size
    return GUID + struct.pack("<II", stated, kind) + body


def start(
    names: bytes = b"Fp1\0Cz\0",
    *,
    channels: int = 2,
    interval_us: float = 1000.0,
    resolutions: tuple[float, ...] = (0.5, 0.1),
) -> bytes:
    head = struct.pack("<Id", channels, interval_us)
    return message(1, head + struct.pack(f"<{len(resolutions)}d", *resolutions) + names)


def marker(
    position: int,
    texts: bytes = b"Stimulus\0S  1\0",
    *,
    points: int = 1,
    channel: int = -1,
    size: int | None = None,
) -> bytes:
    stated = 16 + len(texts) if size is None else size
    return struct.pack("<IiIi", stated, position, points, channel) + texts


def data16(block: int, values: list[int], markers: bytes = b"", *, count: int = 0) -> bytes:
    head = struct.pack("<III", block, len(values) // 2, count)
    return message(2, head + struct.pack(f"<{len(values)}h", *values) + markers)


def data32(block: int, values: list[float], markers: bytes = b"", *, count: int = 0) -> bytes:
    head = struct.pack("<III", block, len(values) // 2, count)
    return message(4, head + struct.pack(f"<{len(values)}f", *values) + markers)


def info(units: tuple[str, ...] = ("µV", "mV")) -> bytes:
    texts = ("Fp1", "Cz", *units)
    return message(
        9,
        struct.pack("<dId", 1.27, 2, 1000.0)
        + struct.pack("<2d", 0.5, 0.1)
        + b"".join(text.encode("utf-16-le") + b"\0\0" for text in texts),
    )


def new_state(state: int) -> bytes:
    return message(5, struct.pack("<i", state))


STOP = message(3)
KEEP_ALIVE = message(10_000)
IMPEDANCE_START = message(6)
IMPEDANCE_STOP = message(8)
IMPEDANCE_DATA = message(
    7,
    struct.pack("<I", 2)
    + struct.pack("<ffi", 0.5, -0.25, 12)
    + "Fp1+".encode("utf-16-le")
    + b"\0\0"
    + struct.pack("<ffi", 0.0, 0.0, -1)
    + "GND".encode("utf-16-le")
    + b"\0\0",
)
TEST = message(100_000, struct.pack("<ii", 1, 3) + "TEST".encode("utf-16-le") + b"\0\0")
