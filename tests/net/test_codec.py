"""Bytes and messages."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.errors import ProtocolError
from rigctl.messages import ERROR, Event, Message
from rigctl.net.codec import MAX_DEPTH, ArrayReader, Envelope, Kind, decode, encode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
messages = st.builds(
    Message, st.sampled_from([*Event]), st.lists(json_values, max_size=3).map(tuple)
).filter(lambda m: not (m.args and isinstance(m.args[-1], dict) and list(m.args[-1]) == ["rigctl"]))


@given(messages)
def test_what_is_written_is_read_back(message):
    assert decode(encode(message)).message == message


@given(messages)
def test_the_envelope_travels_beside_the_message(message):
    envelope = Envelope(Kind.REPLY, "epoch", 7, ("other", 3), clock=1.5)
    wire = decode(encode(message, envelope))
    assert wire.message == message
    assert wire.envelope == envelope


@given(st.lists(messages, max_size=6), st.data())
def test_arrays_are_found_in_any_pieces(messages, data):
    stream = b"".join(encode(m) + data.draw(st.sampled_from([b"", b" ", b"\n"])) for m in messages)
    reader, found = ArrayReader(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert [decode(f).message for f in found] == messages


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_protocol_error(data):
    for read in (decode, ArrayReader().feed):
        try:
            read(data)
        except ProtocolError:
            pass


def test_what_python_writes_for_nan_is_read():
    wire = decode(json.dumps([1, float("nan")]).encode())
    assert wire.message.args[0] != wire.message.args[0]


def test_an_error_message_begins_as_peers_of_the_predecessor_expect():
    assert encode(Message(ERROR, ("ValueError: no", 2))).startswith(b"[0,")


@pytest.mark.parametrize("data", [b"[3, 1]", b'["EXPINIT"]', b"[true]", b"[]", b"[256]", b"[-1]"])
def test_what_is_no_event_is_refused(data):
    with pytest.raises(ProtocolError):
        decode(data)


def test_deep_and_large_messages_are_refused_on_a_stream():
    with pytest.raises(ProtocolError, match="deeper"):
        ArrayReader().feed(b"[" * (MAX_DEPTH + 1))
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        ArrayReader(100).feed(b'["' + b"x" * 200)
    with pytest.raises(ProtocolError, match="begins with"):
        ArrayReader().feed(b"hello")


def test_brackets_and_quotes_in_strings_do_not_end_an_array():
    data = encode(Message(Event.EXPINIT, ('a]"\\[{', "\\")))
    reader = ArrayReader()
    assert [part for byte in data for part in reader.feed(bytes([byte]))] == [data]


@pytest.mark.parametrize(
    "data",
    [
        b'[128,"http://x",{"u":"\\ud800"}]',
        b'[2,{"date":"2024-01-01","sequence":1,"subject":"a","x":"\\ud800"},null]',
        b'[1,null,{"rigctl":{"kind":"command","epoch":"\\ud800","seq":1}}]',
        b'[1,{"\\udfff":1}]',
        b'[1,"\\ud800",NaN]',
        b'[1,"\xed\xa0\x80"]',
        json.dumps([1, "x"]).encode("utf-16"),
    ],
)
def test_halves_of_characters_and_other_encodings_are_refused(data):
    with pytest.raises(ProtocolError, match="not JSON"):
        decode(data)


@pytest.mark.parametrize(
    "envelope",
    [
        '{"kind":"command","seq":-1}',
        '{"kind":"command","seq":10000000000000000000000}',
        '{"kind":"command","clock":NaN}',
        '{"kind":"command","within_s":-1}',
        '{"kind":"command","within_s":Infinity}',
        '{"kind":"command","epoch":"' + "x" * 65 + '"}',
        '{"kind":"shout"}',
    ],
)
def test_an_envelope_that_says_the_impossible_is_refused(envelope):
    with pytest.raises(ProtocolError, match="envelope"):
        decode(f'[1,null,{{"rigctl":{envelope}}}]'.encode())


def test_deep_messages_are_refused_in_a_datagram_too():
    with pytest.raises(ProtocolError, match="deeper"):
        decode(b"[1," + b"[" * 500 + b"]" * 500 + b"]")
    assert decode(b'[1,"' + b"[" * 500 + b'"]').message.args == ("[" * 500,)


def test_what_no_json_can_say_is_a_type_error():
    loop = []
    loop.append(loop)
    for value in (loop, "\ud800", {"\ud800": 1}, 10**5000, object(), {(1, 2): 3}):
        with pytest.raises(TypeError):
            encode(Message(Event.EXPINIT, (value,)))


def test_one_message_too_many_bytes_is_refused_even_if_it_comes_at_once():
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        ArrayReader(100).feed(b'["' + b"x" * 200 + b'"]')


def test_many_small_messages_in_one_piece_are_cut_in_linear_time():
    began = time.perf_counter()
    assert len(ArrayReader().feed(b"[32,0] " * 40_000)) == 40_000
    assert time.perf_counter() - began < 5
