"""How RDA messages lie in memory (pure).

From: nobody.  To: `decode`, `markers` and `encode`.

Little-endian and packed; sizes in bytes. Every message begins with the header:

    GUID 16 | u32 size of the whole message, header included | u32 type

    START           u32 channels | f64 interval in µs | f64 x channels resolution | names, 8-bit
    DATA            u32 block number | u32 points | u32 markers | samples, point by point | markers
    marker          u32 its size, itself included | i32 position | u32 points | i32 channel
                    | type, 8-bit | description, 8-bit
    NEW_STATE       i32 state
    IMPEDANCE_DATA  u32 count | count x (f32 x | f32 y | i32 kOhm | name, UTF-16LE)
    INFO            f64 version | u32 channels | f64 interval in µs | f64 x channels resolution
                    | names, UTF-16LE | units, UTF-16LE

Every text ends with a zero of its own width. A marker's position is documented as unsigned; one
server packs negative ones, and no block holds 2**31 points, so that it is read as signed.
"""

import struct

GUID = bytes.fromhex("8E45584396C9864CAF4A98BBF6C91450")

HEADER = struct.Struct("<16sII")
START = struct.Struct("<Id")
DATA = struct.Struct("<III")
MARKER = struct.Struct("<IiIi")
NEW_STATE = struct.Struct("<i")
COUNT = struct.Struct("<I")
ELECTRODE = struct.Struct("<ffi")
INFO = struct.Struct("<dId")

MAX_MESSAGE_BYTES = 64 * 2**20
"""Larger messages are taken for garbage: 20 ms of 4096 float channels at 100 kHz is 33 MB."""

MAX_CHANNELS = 4096
"""More channels than this are taken for garbage."""

INTERVALS_US = (1.0, 1e9)
"""Intervals outside of these are taken for garbage; without a signal, servers send 0 or ∞."""
