"""Addresses of rigs as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.address import Address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("udp://10.0.0.5:4000", Address("udp", "10.0.0.5", 4000)),
        ("tcp://rig-2.lab:4000", Address("tcp", "rig-2.lab", 4000)),
        ("ws://rig-2:4000", Address("tcp", "rig-2", 4000)),
        ("tls://rig-2:4000", Address("tls", "rig-2", 4000)),
        ("UDP://rig", Address("udp", "rig", 11001)),
        ("rig", Address("udp", "rig", 11001)),
        ("rig:4000", Address("udp", "rig", 4000)),
        (" 10.0.0.5/ ", Address("udp", "10.0.0.5", 11001)),
        ("udp://[::1]:4000", Address("udp", "::1", 4000)),
        ("udp://[::1]", Address("udp", "::1", 11001)),
        ("::1", Address("udp", "::1", 11001)),
        ("[0:0::1]", Address("udp", "::1", 11001)),
        ("fe80::1%eth0", Address("udp", "fe80::1%eth0", 11001)),
        ("my_rig.local.", Address("udp", "my_rig.local.", 11001)),
    ],
)
def test_an_address_as_it_is_written(text: str, expected: Address) -> None:
    assert Address.parse(text) == expected


def test_an_address_reads_back() -> None:
    assert str(Address("udp", "rig", 1)) == "udp://rig:1"
    assert str(Address("tcp", "::1", 65535)) == "tcp://[::1]:65535"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "udp://host:port"),
        ("udp://", "udp://host:port"),
        ("a b", "udp://host:port"),
        ("udp://a/path", "udp://host:port"),
        ("udp://a?x=1", "udp://host:port"),
        ("http://a", "no transport 'http'"),
        ("udp://a:0", "between 1 and 65535"),
        ("udp://a:65536", "between 1 and 65535"),
        ("udp://a:-1", "between 1 and 65535"),
        ("udp://a:4000x", "between 1 and 65535"),
        ("udp://a:٤٠٠", "between 1 and 65535"),
        ("[::1]x", "between 1 and 65535"),
        ("[::1]5000", "between 1 and 65535"),
        ("udp://[::1", "brackets stand around an IPv6 address"),
        ("udp://[rig]:4000", "brackets stand around an IPv6 address"),
        ("udp://a:００８０", "between 1 and 65535"),
        ("udp://a:" + "9" * 5000, "between 1 and 65535"),
        ("10.0.0.1%eth0", "no host name and no IP address"),
        ("fe80::1%", "no host name and no IP address"),
        ("256.0.0.1", "no host name and no IP address"),
        ("10.0.0", "no host name and no IP address"),
        ("-rig", "no host name and no IP address"),
        ("rig-", "no host name and no IP address"),
        ("a..b", "no host name and no IP address"),
        ("user@rig", "no host name and no IP address"),
        (":4000", "no host name and no IP address"),
        ("x" * 64, "no host name and no IP address"),
        ("[:::1]", "no host name and no IP address"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Address.parse(text)


def test_port_0_is_for_listening_only() -> None:
    assert Address.parse("udp://127.0.0.1:0", any_port=True).port == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "[::1]"])
def test_what_only_this_computer_reaches(host: str) -> None:
    assert Address.parse(host).is_loopback


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "10.0.0.5", "[::]", "rig", "localhost.lab", "fe80::1%lo"]
)
def test_what_others_can_reach(host: str) -> None:
    assert not Address.parse(host).is_loopback


_HOSTS = (
    st.ip_addresses().map(str)
    | st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{1,5})?", fullmatch=True)
)  # fmt: skip


@given(st.builds(Address, st.sampled_from(["udp", "tcp", "tls"]), _HOSTS, st.integers(1, 65535)))
def test_every_address_reads_back(address: Address) -> None:
    assert Address.parse(str(address)) == address


@given(st.text() | st.text(alphabet="udp:/[]%.-0123456789abcxf"))
def test_any_text_is_an_address_that_reads_back_or_refused(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert 1 <= address.port <= 65535
    assert Address.parse(str(address)) == address
