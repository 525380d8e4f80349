"""The seal on a message: a keyed MAC over all of its bytes (pure).

From: `net.echo`, before anything is parsed, and whoever packs messages.  To: the same.

The envelope's last key is ``mac``, so that a sealed message ends with it::

    [4, null, {"rigctl": {"kind": "command", ..., "mac": "<32 hex digits>"}}]
                                                         `-- 128 bits

The MAC is keyed BLAKE2b (RFC 7693, section 2.9) over all bytes before it; those after it are always
the same.
Checking it needs no parser: bytes of strangers are dropped before one sees them.
"""

import hashlib
import hmac

MAC_BYTES = 16
BLANK = "0" * (2 * MAC_BYTES)
"""What stands in the MAC's place before it is reckoned."""

_HEAD, _TAIL = b'"mac":"', b'"}}]'
_MAC_AT = -(2 * MAC_BYTES + len(_TAIL))
_LEAST = len(_HEAD) - _MAC_AT


class Seal:
    """Seals and checks with one key.

    Args:
        key: the secret that both ends share, 16 to 64 bytes.
    """

    def __init__(self, key: bytes) -> None:
        if not 16 <= len(key) <= hashlib.blake2b.MAX_KEY_SIZE:
            raise ValueError("a key has 16 to 64 bytes")
        self._keyed = hashlib.blake2b(key=key, digest_size=MAC_BYTES)

    def close(self, data: bytes) -> bytes:
        """Return a message with its MAC; it was encoded with `BLANK` in its place."""
        return data[:_MAC_AT] + self._mac(data) + _TAIL

    def is_intact(self, data: bytes) -> bool:
        """Whether who sent these bytes knows the key, and nobody has changed them since."""
        if len(data) < _LEAST or not data.endswith(_TAIL):
            return False
        if data[_MAC_AT - len(_HEAD) : _MAC_AT] != _HEAD:
            return False
        return hmac.compare_digest(data[_MAC_AT : -len(_TAIL)], self._mac(data))

    def _mac(self, data: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(data[:_MAC_AT])
        return keyed.hexdigest().encode()
