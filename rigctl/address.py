"""Addresses of rigs as URIs: ``udp://host:port``, ``tcp://host:port``, ``tls://host:port``.

From: configuration files and users.  To: transports.
"""

import ipaddress
import re
from dataclasses import dataclass

DEFAULT_PORT = 11001
"""Where rigs listen unless they say otherwise (protocol 1.0.0)."""

SCHEMES = {"udp": "udp", "tcp": "tcp", "ws": "tcp", "tls": "tls"}
"""What may stand before ``://``, and what it means (``ws`` is the predecessor's name for TCP)."""

_URI = re.compile(r"(?:(?P<scheme>[A-Za-z]+)://)?(?P<rest>[^/?#\s]+)/?")
_PORT = re.compile(r"[0-9]{1,5}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class Address:
    """A transport, a host and a port."""

    scheme: str
    """``udp``, ``tcp`` or ``tls``."""
    host: str
    """A host name, an IPv4 or an IPv6 address (without brackets)."""
    port: int

    @classmethod
    def parse(cls, text: str, *, any_port: bool = False) -> "Address":
        """Read a URI; the scheme (udp) and the port (11001) may be left out.

        Args:
            text: such as ``udp://10.0.0.5:11001``, ``rig-2``, ``tcp://[::1]:4000``.
            any_port: allow port 0, for listening on a free port.

        Raises:
            ValueError: with what is wrong with it.
        """
        match = _URI.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not an address; write it as udp://host:port")
        scheme = SCHEMES.get((match["scheme"] or "udp").lower())
        if scheme is None:
            raise ValueError(f"{text!r}: no transport {match['scheme']!r}; use udp, tcp or tls")
        host, port = _split(text, match["rest"])
        return cls(scheme, _checked_host(text, host), _checked_port(text, port, any_port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def _split(text: str, rest: str) -> tuple[str, str]:
    """Part the host from the port; an IPv6 address may stand in brackets or bare."""
    if rest.startswith("["):
        return _split_brackets(text, rest)
    if rest.count(":") > 1:
        return rest, ""
    host, _, port = rest.partition(":")
    return host, port


def _split_brackets(text: str, rest: str) -> tuple[str, str]:
    host, bracket, tail = rest[1:].partition("]")
    if not bracket or ":" not in host:
        raise ValueError(f"{text!r}: brackets stand around an IPv6 address, as in [::1]:4000")
    if tail and not tail.startswith(":"):
        raise ValueError(f"{text!r}: ':' and a port between 1 and 65535 may follow ']'")
    return host, tail.removeprefix(":")


def _checked_host(text: str, host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))  # with its zone, where it has one
    except ValueError:
        pass
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{text!r}: {host!r} is no host name and no IP address")
    return host


def _checked_port(text: str, port: str, any_port: bool) -> int:
    number = int(port) if _PORT.fullmatch(port) else -1
    if not port:
        number = DEFAULT_PORT
    if not (0 if any_port else 1) <= number <= 65535:
        raise ValueError(f"{text!r}: the port must lie between 1 and 65535")
    return number
