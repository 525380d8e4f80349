"""Bytes become messages, whatever the bytes and however they are cut."""

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rigctl.blocks import Marker
from rigctl.errors import ProtocolError
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
    Rejected,
    Start,
    State,
    Stop,
    StrayData,
    Unknown,
)
from rigctl.rda.protocol import Parser

from . import golden

STREAM = (
    golden.TEST
    + golden.info()
    + golden.new_state(1)
    + golden.data32(6, [0.0, 0.0])
    + golden.start()
    + golden.data32(7, [1.0, 2.0, 3.0, 4.0], golden.marker(1), count=1)
    + golden.data16(8, [-1, 32767])
    + golden.KEEP_ALIVE
    + golden.STOP
    + golden.IMPEDANCE_START
    + golden.IMPEDANCE_DATA
    + golden.IMPEDANCE_STOP
)


def parsed(raw: bytes) -> list[Message]:
    return Parser().feed(raw)


def one_data(raw: bytes) -> Data:
    _, data = parsed(golden.start() + raw)
    assert isinstance(data, Data)
    return data


def comparable(message: Message) -> object:
    if not isinstance(message, Data):
        return message
    samples = message.samples
    return message.block, samples.dtype, samples.tolist(), message.markers, message.faults


def outcome(pieces: list[bytes]) -> tuple[list[object], str]:
    parser, messages = Parser(max_message_bytes=10_000), []
    try:
        for piece in [*pieces, b""]:
            messages += parser.feed(piece)
    except ProtocolError as error:
        return [comparable(message) for message in messages], str(error)
    return [comparable(message) for message in messages], ""


def test_every_type_is_read_as_the_description_draws_it():
    test, info, state, stray, start, data32, data16, *rest = parsed(STREAM)
    assert test == Unknown(100_000, len(golden.TEST))
    assert info == Info(1.27, 1000.0, (0.5, 0.1), ("Fp1", "Cz"), ("µV", "mV"))
    assert state == NewState(State.MONITORING)
    assert stray == StrayData(block=6, points=1)
    assert start == Start(1000.0, (0.5, 0.1), ("Fp1", "Cz"))
    assert isinstance(data32, Data)
    assert (data32.block, data32.samples.tolist()) == (7, [[1.0, 2.0], [3.0, 4.0]])
    assert data32.samples.dtype == np.dtype("<f4")
    assert data32.markers == (Marker(1, "Stimulus", "S  1"),)
    assert isinstance(data16, Data)
    assert (data16.block, data16.samples.tolist()) == (8, [[-1, 32767]])
    electrodes = (Electrode("Fp1+", 12, 0.5, -0.25), Electrode("GND", -1))
    assert rest == [
        KeepAlive(),
        Stop(),
        ImpedanceStart(),
        ImpedanceData(electrodes),
        ImpedanceStop(),
    ]


def test_what_is_encoded_is_what_the_description_draws():
    start = Start(1000.0, (0.5, 0.1), ("Fp1", "Cz"))
    assert encode(start) == golden.start()
    samples = np.array([[1, 2], [3, 4]])
    marker = Marker(1, "Stimulus", "S  1")
    assert encode(Data(7, samples.astype("f4"), (marker,))) == golden.data32(
        7, [1, 2, 3, 4], golden.marker(1), count=1
    )
    assert encode(Data(2**32 + 7, samples.astype(">i2"))) == golden.data16(7, [1, 2, 3, 4])
    assert encode(Info(1.27, 1000.0, (0.5, 0.1), ("Fp1", "Cz"), ("µV", "mV"))) == golden.info()
    assert encode(NewState(4)) == golden.new_state(4)
    electrodes = (Electrode("Fp1+", 12, 0.5, -0.25), Electrode("GND", -1))
    assert encode(ImpedanceData(electrodes)) == golden.IMPEDANCE_DATA
    simple = (Stop(), KeepAlive(), ImpedanceStart(), ImpedanceStop(), Unknown(77, 24))
    assert b"".join(map(encode, simple)) == (
        golden.STOP
        + golden.KEEP_ALIVE
        + golden.IMPEDANCE_START
        + golden.IMPEDANCE_STOP
        + golden.message(77)
    )


@pytest.mark.parametrize("message", [StrayData(1, 2), Data(1, np.zeros((1, 1), "f8"))])
def test_what_no_server_sends_is_not_encoded(message):
    with pytest.raises(TypeError):
        encode(message)


texts = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Cf", "Co", "Cn"))
)


@given(st.lists(texts.filter(bool), min_size=1, max_size=5, unique=True), st.floats(1.0, 1e9))
def test_start_survives_the_round_trip(names, interval_us):
    start = Start(interval_us, tuple(float(n + 1) for n in range(len(names))), tuple(names))
    assert parsed(encode(start)) == [start]


@given(
    st.lists(
        st.builds(
            Marker,
            st.integers(-(2**31), 2**31 - 1),
            texts,
            texts,
            st.integers(0, 2**32 - 1),
            st.integers(-1, 2**31 - 1),
        ),
        max_size=4,
    )
)
def test_markers_survive_the_round_trip(markers):
    raw = encode(Data(3, np.zeros((2, 2), "i2"), tuple(markers)))
    data = one_data(raw)
    assert data.markers == tuple(markers)
    assert data.faults == ()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_chunking_gives_the_same_messages(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in pairwise(edges)]
    assert outcome(pieces) == outcome([STREAM])


def test_single_bytes_give_the_same_messages():
    assert outcome([STREAM[n : n + 1] for n in range(len(STREAM))]) == outcome([STREAM])


def test_samples_are_a_view_of_the_buffer():
    buffer = bytearray(golden.start() + golden.data16(1, [1, 2]))
    (_, data), consumed = Parser().parse(memoryview(buffer))
    assert consumed == len(buffer)
    assert isinstance(data, Data)
    buffer[-4:] = struct.pack("<hh", 8, 9)
    assert data.samples.tolist() == [[8, 9]]


def test_a_block_without_points_keeps_its_markers():
    data = one_data(golden.data32(1, [], golden.marker(0), count=1))
    assert data.samples.shape == (0, 2)
    assert data.markers == (Marker(0, "Stimulus", "S  1"),)


def test_messages_before_a_broken_one_are_delivered_before_the_error():
    parser = Parser()
    assert parser.feed(golden.KEEP_ALIVE + b"x" * 24) == [KeepAlive()]
    with pytest.raises(ProtocolError, match="wrong GUID"):
        parser.feed(b"")


BROKEN = {
    "not an RDA server": b"SSH-2.0-OpenSSH_9.2",
    "no RDA message begins behind message 1": golden.KEEP_ALIVE + b"\x8e\x45\x00",
    "a size of 23 bytes": golden.message(3, size=23),
    "a size of 0 bytes": golden.message(3, size=0),
    "a size of 4294967295 bytes": golden.message(4, size=0xFFFFFFFF),
    "START is too short": golden.message(1, b"\0" * 11),
    "START is too short ": golden.start(channels=3, names=b""),
    "DATA16 is too short": golden.start() + golden.message(2, struct.pack("<II", 1, 1)),
    "DATA32 is too short": golden.start()
    + golden.message(4, struct.pack("<III", 1, 3, 0) + b"\0" * 16),
    "DATA32 is too short ": golden.start()
    + golden.message(4, struct.pack("<III", 1, 0xFFFFFFFF, 0xFFFFFFFF)),
    "NEW_STATE is too short": golden.message(5, b"\1"),
    "INFO is too short": golden.message(9, b"\1"),
    "IMPEDANCE_DATA is too short": golden.message(7, b"\1"),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_bytes_without_footing_break_the_protocol_with_a_reason(reason):
    _, error = outcome([BROKEN[reason]])
    assert reason.strip() in error


def test_a_size_over_the_maximum_is_refused_before_its_bytes_come():
    with pytest.raises(ProtocolError, match="24 to 100 are possible"):
        Parser(max_message_bytes=100).feed(golden.message(4, size=101))


@pytest.mark.parametrize("channels", [0, 4097, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", ["start", "info"])
def test_absurd_channel_counts_cost_their_message_only(channels, kind):
    head = struct.pack("<Id", channels, 1000.0)
    raw = golden.message(1, head) if kind == "start" else golden.message(9, bytes(8) + head)
    rejected, alive = parsed(raw + golden.KEEP_ALIVE)
    assert isinstance(rejected, Rejected)
    assert f"{channels} channels" in rejected.reason
    assert alive == KeepAlive()


@pytest.mark.parametrize("interval", [0.0, -1.0, 0.5, float("nan"), float("inf"), 1e10])
def test_an_impossible_interval_rejects_start_and_the_data_behind_it(interval):
    first, second, third = parsed(
        golden.start() + golden.start(interval_us=interval) + golden.data16(1, [1, 2])
    )
    assert isinstance(first, Start)
    assert isinstance(second, Rejected)
    assert "interval" in second.reason
    assert third == StrayData(1, 1)


def test_data_after_stop_are_stray():
    assert parsed(golden.start() + golden.STOP + golden.data16(5, [1, 2]))[-1] == StrayData(5, 1)


def test_unusable_resolutions_become_one_and_negative_ones_stay():
    raw = golden.start(b"a\0b\0c\0d\0", channels=4, resolutions=(0.0, float("nan"), -0.1, 2.0))
    (start,) = parsed(raw)
    assert isinstance(start, Start)
    assert start.resolutions == (1.0, 1.0, -0.1, 2.0)
    assert start.faults == ("2 resolutions are 0 or not finite: 1.0 is used",)


def test_impedances_that_end_early_cost_their_message_only():
    raw = golden.message(7, struct.pack("<Iffi", 0xFFFFFFFF, 0, 0, 1) + b"F\0")
    rejected, alive = parsed(raw + golden.KEEP_ALIVE)
    assert isinstance(rejected, Rejected)
    assert alive == KeepAlive()


def test_states_have_names_or_numbers():
    assert [NewState(n).label for n in (0, 6, 99)] == ["idle", "paused", "99"]


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10_000, 55]))
def test_no_body_raises_anything_but_a_protocol_error(body, kind):
    outcome([golden.start() + golden.message(kind, body)])


def test_random_damage_raises_nothing_but_protocol_errors():
    random = np.random.default_rng(1)
    for _ in range(3000):
        damaged = bytearray(STREAM)
        for _ in range(int(random.integers(1, 6))):
            damaged[int(random.integers(len(damaged)))] = int(random.integers(256))
        cut = int(random.integers(len(damaged)))
        whole = outcome([bytes(damaged)])
        assert str(outcome([bytes(damaged[:cut]), bytes(damaged[cut:])])) == str(whole)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_protocol_errors(raw):
    outcome([raw])
