"""RDA without I/O: bytes in any pieces become typed messages, and messages become bytes (pure).

From: `connection`, tests.  To: `assembly`.

A wrong GUID, an impossible size or a body too short for what it says is a `ProtocolError`, after
which the stream has no footing and the connection is to be dropped. Everything else costs only
itself: see `messages.Rejected`, `messages.StrayData` and the messages' `faults`.
"""

from rigctl.errors import ProtocolError
from rigctl.rda import wire
from rigctl.rda.decode import SAMPLE_TYPES, decode
from rigctl.rda.encode import encode
from rigctl.rda.messages import Data, Message, MessageType, Rejected, Start, Stop
from rigctl.rda.rows import find_row

__all__ = ["Parser", "encode"]


class Parser:
    """Cuts a stream of bytes into messages.

    Args:
        max_message_bytes: larger messages break the protocol, before anything is allocated.
        in_rows: give equal data messages in a row as one `DataRow`, which is many times faster.
    """

    def __init__(
        self, max_message_bytes: int = wire.MAX_MESSAGE_BYTES, *, in_rows: bool = False
    ) -> None:
        self._max_message_bytes = max_message_bytes
        self._in_rows = in_rows
        self._channels = 0
        self._taken = 0
        self._rest = b""
        self.wanted = wire.HEADER.size
        """How many bytes the message at the front takes in all, as far as it is known."""

    def parse(self, buffer: memoryview) -> tuple[list[Message], int]:
        """Return the whole messages at the front of a buffer and how many bytes they take.

        Samples are views of the buffer. A message that breaks the protocol ends the list; where it
        stands at the front, that is where the next call begins, it is raised.

        Raises:
            ProtocolError: the first message breaks the rules; the stream has no footing any more.
        """
        messages: list[Message] = []
        begin = 0
        try:
            while end := self._end(buffer, begin):
                message, begin = self._take(buffer, begin, end)
                messages.append(message)
        except ProtocolError:
            if not messages:
                raise
        return messages, begin

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are whole with these bytes; what is left is kept.

        Raises:
            ProtocolError: as `parse`.
        """
        self._rest += data
        messages, consumed = self.parse(memoryview(self._rest))
        self._rest = self._rest[consumed:]
        return messages

    def _end(self, buffer: memoryview, begin: int) -> int:
        """Return where the message that begins here ends, or 0 while that is not in the buffer."""
        self.wanted = wire.HEADER.size
        if len(buffer) - begin < wire.HEADER.size:
            self._check_guid(bytes(buffer[begin : begin + len(wire.GUID)]))
            return 0
        guid, size, _ = wire.HEADER.unpack_from(buffer, begin)
        if guid != wire.GUID:
            self._check_guid(guid)
        if not wire.HEADER.size <= size <= self._max_message_bytes:
            raise ProtocolError(
                f"an RDA message states a size of {size} bytes; "
                f"{wire.HEADER.size} to {self._max_message_bytes} are possible"
            )
        self.wanted = size
        return begin + size if begin + size <= len(buffer) else 0

    def _check_guid(self, guid: bytes) -> None:
        # Also for the first few bytes, so that a server of another kind that greets and then waits
        # is told from one that has nothing to say.
        if wire.GUID.startswith(guid):
            return
        if self._taken:
            raise ProtocolError(f"no RDA message begins behind message {self._taken}: wrong GUID")
        raise ProtocolError("this is not an RDA server: wrong GUID (check host and port)")

    def _take(self, buffer: memoryview, begin: int, end: int) -> tuple[Message, int]:
        """Return the message, or row of messages, that begins here, and where it ends."""
        _, _, kind = wire.HEADER.unpack_from(buffer, begin)
        if self._in_rows and kind in SAMPLE_TYPES:
            row, row_end = find_row(buffer, begin, self._channels, SAMPLE_TYPES[kind])
            if row is not None:
                self._taken += len(row.samples)
                return row, row_end
        message = decode(kind, buffer[begin + wire.HEADER.size : end], self._channels)
        self._taken += 1
        if not isinstance(message, Data):
            self._learn(message)
        return message, end

    def _learn(self, message: Message) -> None:
        if isinstance(message, Start):
            self._channels = len(message.resolutions)
        elif isinstance(message, Stop) or _is_rejected_start(message):
            self._channels = 0


def _is_rejected_start(message: Message) -> bool:
    return isinstance(message, Rejected) and message.type is MessageType.START
