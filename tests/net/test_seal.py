"""The seal: what passes, and that nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.messages import Event, Message
from rigctl.net.codec import Envelope, Kind, decode
from rigctl.net.packets import Packer
from rigctl.net.seal import Seal

KEY, OTHER = b"k" * 32, b"o" * 32
MESSAGE = Message(Event.EXPSTART, ("2024-01-01_1_subject", {"µ": 1.5}))


def sealed(key: bytes = KEY, message: Message = MESSAGE) -> bytes:
    return Packer(Seal(key)).pack(message, Envelope(Kind.COMMAND, "desk", 7)).data


def test_what_was_sealed_is_intact_and_says_what_was_meant():
    data = sealed()
    assert Seal(KEY).is_intact(data)
    wire = decode(data)
    assert wire.message == MESSAGE
    assert wire.envelope and wire.envelope.seq == 7


def test_another_key_does_not_open_it():
    assert not Seal(OTHER).is_intact(sealed())


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_byte_that_is_changed_breaks_it(at, by):
    data = bytearray(sealed())
    data[at % len(data)] ^= by
    assert not Seal(KEY).is_intact(bytes(data))


@given(st.integers(0, 10_000))
def test_any_truncation_breaks_it(length):
    data = sealed()
    assert not Seal(KEY).is_intact(data[: length % len(data)])


@given(st.binary(max_size=200))
def test_nothing_that_does_not_know_the_key_passes(data):
    assert not Seal(KEY).is_intact(data)
    assert not Seal(KEY).is_intact(data + b'"mac":"' + b"0" * 32 + b'"}}]')


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_key_has_a_proper_length(length):
    with pytest.raises(ValueError, match="16 to 64"):
        Seal(b"x" * length)
