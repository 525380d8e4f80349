"""Every type of message, byte by byte as the description draws it: read, and written again."""

import numpy as np
import pytest

from rigctl.blocks import Marker
from rigctl.rda.encode import encode
from rigctl.rda.messages import (
    Data,
    Electrode,
    ImpedanceData,
    ImpedanceStart,
    ImpedanceStop,
    Info,
    KeepAlive,
    Message,
    NewState,
    Start,
    Stop,
    StrayData,
    Unknown,
)
from rigctl.rda.protocol import Parser

GUID = "8E455843 96C9864C AF4A98BB F6C91450"

GOLDEN: dict[str, tuple[str, Message]] = {
    "start": (
        f"""{GUID} 3B000000 01000000
        02000000                        # 2 channels
        00000000 00408F40               # an interval of 1000.0
        00000000 0000E03F               # a resolution of 0.5
        00000000 0000D03F               # and one of 0.25
        46703100                        # Fp1
        B55600                          # a name in Windows-1252""",
        Start(1000.0, (0.5, 0.25), ("Fp1", "µV")),
    ),
    "data, 16 bit": (
        f"""{GUID} 2C000000 02000000
        07000000 02000000 00000000      # block 7, 2 points, no markers
        0100 FFFF FF7F 0080             # 1, -1, 32767, -32768""",
        Data(7, np.array([[1, -1], [32767, -32768]], "<i2")),
    ),
    "data, 32 bit": (
        f"""{GUID} 34000000 04000000
        FFFFFFFF 02000000 00000000      # the last number that there is, 2 points
        0000803F 000020C1               # 1.0, -10.0
        00000000 0000C07F               # 0.0, not a number""",
        Data(2**32 - 1, np.array([[1.0, -10.0], [0.0, np.nan]], "<f4")),
    ),
    "data with two markers": (
        f"""{GUID} 63000000 02000000
        08000000 01000000 02000000      # block 8, 1 point, 2 markers
        0300 0400
        1E000000 00000000 01000000 FFFFFFFF                   # 30 bytes, at 0, 1 long, all
        5374696D 756C7573 00 53202031 00                      # Stimulus, S  1
        1D000000 FFFFFFFF 00000000 01000000                   # 29 bytes, at -1, 0 long, channel 1
        4E657720 5365676D 656E7400 00""",
        Data(
            8,
            np.array([[3, 4]], "<i2"),
            (
                Marker(0, "Stimulus", "S  1"),
                Marker(-1, "New Segment", "", points=0, channel=1),
            ),
        ),
    ),
    "data without points": (
        f"""{GUID} 38000000 04000000
        09000000 00000000 01000000
        14000000 00000000 01000000 FFFFFFFF 61006200          # a, b""",
        Data(9, np.zeros((0, 2), "<f4"), (Marker(0, "a", "b"),)),
    ),
    "stop": (f"{GUID} 18000000 03000000", Stop()),
    "new state": (f"{GUID} 1C000000 05000000 04000000", NewState(4)),
    "a state without a name": (f"{GUID} 1C000000 05000000 FFFFFFFF", NewState(-1)),
    "impedance start": (f"{GUID} 18000000 06000000", ImpedanceStart()),
    "impedance data": (
        f"""{GUID} 44000000 07000000
        02000000                        # 2 electrodes
        0000003F 000080BE 0C000000      # at 0.5, -0.25: 12 kOhm
        4600 7000 3100 0000             # Fp1
        00000000 00000000 FFFFFFFF      # no valid value
        4700 4E00 4400 0000             # GND""",
        ImpedanceData((Electrode("Fp1", 12, 0.5, -0.25), Electrode("GND", -1))),
    ),
    "impedance stop": (f"{GUID} 18000000 08000000", ImpedanceStop()),
    "info": (
        f"""{GUID} 40000000 09000000
        00000000 0000F43F               # version 1.25
        01000000                        # 1 channel
        00000000 00007940               # an interval of 400.0
        00000000 0000E03F               # a resolution of 0.5
        4300 7A00 0000                  # Cz
        B500 5600 0000                  # in microvolts""",
        Info(1.25, 400.0, (0.5,), ("Cz",), ("µV",)),
    ),
    "keep-alive": (f"{GUID} 18000000 10270000", KeepAlive()),
}

TEST = f"""{GUID} 2A000000 A0860100
    01000000 03000000                   # 1, 3
    5400 4500 5300 5400 0000            # TEST
    """

ANNOUNCED = Start(1000.0, (1.0, 1.0), ("a", "b"))


def raw(text: str) -> bytes:
    return bytes.fromhex("".join(line.split("#")[0] for line in text.splitlines()))


def read(message: bytes, *before: Message) -> Message:
    parser = Parser()
    for one in before:
        parser.feed(encode(one))
    (found,) = parser.feed(message)
    return found


@pytest.mark.parametrize("name", GOLDEN)
def test_a_message_is_read_and_written_as_it_is_described(name: str) -> None:
    text, meant = GOLDEN[name]
    found = read(raw(text), ANNOUNCED)
    if isinstance(meant, Data):
        assert isinstance(found, Data)
        assert (found.block, found.markers, found.faults) == (meant.block, meant.markers, ())
        assert found.samples.dtype == meant.samples.dtype
        assert found.samples.shape == meant.samples.shape
        assert found.samples.tobytes() == meant.samples.tobytes()
    else:
        assert found == meant
    assert encode(meant) == raw(text)


def test_the_greeting_that_one_server_begins_with_is_passed_over_by_its_size() -> None:
    assert read(raw(TEST)) == Unknown(100_000, 42)


def test_every_type_states_its_own_size() -> None:
    for text, _ in [*GOLDEN.values(), (TEST, None)]:
        message = raw(text)
        assert int.from_bytes(message[16:20], "little") == len(message)


def test_data_that_nothing_announced_are_known_by_number_and_points() -> None:
    assert read(raw(GOLDEN["data, 16 bit"][0])) == StrayData(7, 2)
