"""A message with its envelope, packed: encoded, and sealed where a key is set (pure).

From: `net.numbered`, `net.echo`.  To: the same, as bytes for the wire.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from rigctl.messages import Message
from rigctl.net.codec import Envelope, decode, encode
from rigctl.net.outputs import MessageId
from rigctl.net.seal import BLANK, Seal

MAX_DATAGRAM_BYTES = 1200
"""What goes into one datagram: less than any path's MTU, so that none is ever cut in pieces, of
which one lost loses all."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One message, ready for the wire."""

    message: Message
    envelope: Envelope
    data: bytes

    @property
    def id(self) -> MessageId:
        """Its id."""
        return self.envelope.epoch, self.envelope.seq


class Packer:
    """Packs what is sent to one peer.

    Args:
        seal: the key's; None without a key.
        session_of: returns the session of who has this epoch, where we are who gave it; empty if
            there is none.
    """

    def __init__(
        self, seal: Seal | None, session_of: Callable[[str], str] = lambda epoch: ""
    ) -> None:
        self._seal = seal
        self._session_of = session_of
        self.session = ""
        """The session with this peer; only where a key is set."""

    def pack(self, message: Message, envelope: Envelope, session: str = "") -> Packet:
        """Return a message with its bytes.

        Args:
            message: what is said.
            envelope: what goes with it.
            session: to which it belongs; that of whom it answers, or of the peer, if left out.

        Raises:
            TypeError: an argument cannot be written as JSON.
        """
        if self._seal is None:
            return Packet(message, envelope, encode(message, envelope))
        theirs = self._session_of(envelope.answers[0]) if envelope.answers else ""
        session = session or theirs or self.session
        sealed = msgspec.structs.replace(envelope, session=session, mac=BLANK)
        return Packet(message, envelope, self._seal.close(encode(message, sealed)))

    def repack(self, data: bytes) -> Packet:
        """Return what was packed before, with its bytes as they are in the present session."""
        wire = decode(data)
        assert wire.envelope is not None
        if self._seal is None:
            return Packet(wire.message, wire.envelope, data)
        return self.pack(wire.message, wire.envelope)
