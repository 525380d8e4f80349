"""Whatever bytes come, nothing crashes or grows, and nothing that was not sent takes effect."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rigctl.errors import ProtocolError
from rigctl.messages import Event, Message
from rigctl.net.codec import ArrayReader, Envelope, Kind, decode, encode
from rigctl.net.context import Context, Identity
from rigctl.net.echo import Dialect, Echo
from rigctl.net.inputs import Command, Now
from rigctl.net.outputs import Delivered, Rejected, Transmit
from rigctl.net.packets import Packer
from rigctl.net.seal import Seal

KEY = b"k" * 32
NOW = Now(100.0, 1.7e9)
START = Message(Event.EXPSTART, ("2024-01-01_1_subject", None))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
keys = st.sampled_from(
    ["kind", "epoch", "seq", "answers", "digest", "clock", "within_s", "large", "session", "mac"]
)
kinds = st.sampled_from([str(kind) for kind in Kind])
envelopes = st.dictionaries(keys, json_values | kinds, max_size=6)
messages = st.builds(
    lambda event, args, envelope: [event, *args, {"rigctl": envelope}],
    st.integers(-1, 300) | json_values,
    st.lists(json_values, max_size=3),
    envelopes,
)
as_json = messages.map(lambda value: json.dumps(value).encode())


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that were sent once: cut, flipped, doubled, with something in between."""

    def damage(at: int, by: int, cut: int, more: bytes) -> bytes:
        changed = bytearray(data)
        changed[at % len(data)] ^= by
        return bytes(changed[: len(data) - cut % len(data)]) + more

    number = st.integers(0, 10_000)
    return st.builds(damage, number, st.integers(0, 255), number, st.binary(max_size=20))


def engines(key: bytes | None) -> list[Echo]:
    """Ends of conversations in every situation: asked, asking, greeted."""
    seal = Seal(key) if key else None
    found = []
    for dialect in [Dialect.AUTO, Dialect.RIGCTL] + ([] if key else [Dialect.IBLUTIL]):
        for asks in (False, True):
            engine = Echo(Context(Identity("own"), seal=seal), dialect, asks=asks)
            if asks:
                engine.send(NOW, Command(1, START, 1.0, 1.0))
            found.append(engine)
    return found


@given(st.binary(max_size=300) | as_json)
def test_decoding_ends_in_a_message_or_a_protocol_error(data):
    try:
        wire = decode(data)
    except ProtocolError:
        return
    assert encode(wire.message, wire.envelope)


@given(st.lists(st.binary(max_size=40) | as_json, max_size=6), st.integers(1, 50))
def test_framing_does_not_depend_on_the_pieces(parts, size):
    data = b"".join(parts)

    def read(pieces):
        reader, found = ArrayReader(5000), []
        try:
            for piece in pieces:
                reader.add(piece)
                found += iter(reader.next, None)
        except ProtocolError:
            found.append("the end")
        return found

    assert read([data[i : i + size] for i in range(0, len(data), size)]) == read(
        [bytes([byte]) for byte in data]
    )


@pytest.mark.parametrize("key", [None, KEY])
@settings(max_examples=150)
@given(data=st.binary(max_size=300) | as_json | damaged(encode(START)))
def test_no_bytes_crash_an_engine(key, data):
    for engine in engines(key):
        outputs = engine.receive(NOW, data)
        outputs += engine.poll(Now(NOW.monotonic + 5.0, NOW.clock + 5.0))
        assert len(outputs) < 20
        assert engine.next_wakeup() > NOW.monotonic
        if key:
            assert not any(isinstance(output, Delivered) for output in outputs)


SEALED = Packer(Seal(KEY)).pack(START, Envelope(Kind.COMMAND, "desk", 7)).data


@settings(max_examples=300)
@given(damaged(SEALED))
def test_of_a_sealed_message_that_was_damaged_nothing_is_taken(data):
    for engine in engines(KEY):
        for output in engine.receive(NOW, data):
            assert isinstance(output, Rejected), output


@given(json_values, json_values)
def test_what_can_be_said_crosses_unchanged(first, second):
    message = Message(Event.EXPINIT, (first, second))
    try:
        data = encode(message)
    except TypeError:
        return
    back = decode(data)
    if back.envelope is None:
        assert encode(back.message) == data
    assert not isinstance(data, Transmit)
