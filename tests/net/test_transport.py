"""Addresses as sockets show them."""

import socket

from rigctl.net.transport import peer_address


def test_a_link_local_peer_keeps_its_zone_and_can_be_sent_to():
    assert peer_address(("10.0.0.5", 4000)) == ("10.0.0.5", 4000)
    assert peer_address(("2001:db8::1", 4000, 0, 0)) == ("2001:db8::1", 4000)
    addr = peer_address(("fe80::1", 4000, 0, 1))
    assert addr == ("fe80::1%1", 4000)
    assert socket.getaddrinfo(*addr, flags=socket.AI_NUMERICHOST)[0][4] == ("fe80::1", 4000, 0, 1)
