"""Streams through a bad network: delayed, stalled, cut, but never with a byte missing.

From: the proxy's TCP clients, the rig.  To: the other of the two.

    client --read--> line --write--> rig        the line holds pieces until they are due
    client <--write-- line <--read-- rig
"""

import asyncio
import contextlib
import logging
import socket
import struct
from dataclasses import dataclass, field

from rigctl.net.chaos.crossing import Crossing, now_s
from rigctl.net.weather import Direction

log = logging.getLogger(__name__)

MAX_CLIENTS = 256
"""How many connections are kept; further ones are closed at once."""

_PIECE_BYTES = 65_536
_MAX_PIECES = 64
"""How many pieces of a stream are under way; what comes then waits with its sender."""

_CONNECT_S = 5.0
_RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: the connection is broken, not closed."""


class _Broken(Exception):
    """The connection is cut."""


@dataclass(frozen=True, slots=True)
class _End:
    """One of the two connections that make one through the proxy."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        """Close the connection after what was written has gone out."""
        self.writer.close()
        await self.writer.wait_closed()

    async def break_off(self) -> None:
        """Break the connection, unless it is closed already."""
        with contextlib.suppress(OSError):
            raw = self.writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass(frozen=True, slots=True)
class _Piece:
    due_s: float
    data: bytes
    """Empty at the end of the stream."""
    cut: bool


@dataclass(slots=True)
class StreamRelay:
    """The connections between a rig and all clients of its proxy."""

    crossing: Crossing
    _server: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def listen(self, host: str, port: int) -> None:
        """Listen for clients.

        Raises:
            OSError: the address cannot be bound.
        """
        self._server = await asyncio.start_server(self._accept, host, port)

    @property
    def clients(self) -> int:
        """How many clients are connected at present."""
        return len(self._tasks)

    async def close(self) -> None:
        """Stop listening and break all connections."""
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= MAX_CLIENTS:
            log.warning("closed a client: there are %d already", MAX_CLIENTS)
            writer.transport.abort()
            return
        relay = self._relay(_End(reader, writer))
        task = asyncio.create_task(relay, name=f"relay to {self.crossing.rig}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, client: _End) -> None:
        """Be the connection between a client and the rig until it ends or is cut."""
        try:
            await self._stall()
            rig = await self._connect()
            try:
                async with asyncio.TaskGroup() as group:
                    self._carry(group, Direction.TO_RIG, client, rig)
                    self._carry(group, Direction.FROM_RIG, rig, client)
                await rig.close()
                await client.close()
            finally:
                await rig.break_off()
        except* (_Broken, OSError) as group:
            log.debug("a connection to %s broke: %s", self.crossing.rig, group.exceptions)
        finally:
            await client.break_off()

    async def _stall(self) -> None:
        """Wait until there is a way; a connection is no sooner made than a byte is carried."""
        passage = self.crossing.forecast.opening(now_s())
        await asyncio.sleep(passage.delay_s)
        if passage.cut:
            raise _Broken

    async def _connect(self) -> _End:
        crossing = self.crossing
        host, port = crossing.sockaddr[:2]
        try:
            async with asyncio.timeout(_CONNECT_S):
                return _End(*await asyncio.open_connection(host, port, family=crossing.family))
        except OSError as error:
            crossing.failed(error)
            raise

    def _carry(self, group: asyncio.TaskGroup, way: Direction, source: _End, sink: _End) -> None:
        line: asyncio.Queue[_Piece] = asyncio.Queue(_MAX_PIECES)
        group.create_task(self._take(way, source.reader, line), name=f"take {way}")
        group.create_task(self._give(way, line, sink.writer), name=f"give {way}")

    async def _take(
        self, way: Direction, reader: asyncio.StreamReader, line: "asyncio.Queue[_Piece]"
    ) -> None:
        """Read pieces and settle when each is due; the end of the stream is one, too."""
        data = b"."
        while data:
            data = await reader.read(_PIECE_BYTES)
            passage = self.crossing.forecast.piece(now_s(), way)
            self.crossing.counts[way].held += passage.stalled
            if way is Direction.FROM_RIG:
                self.crossing.heard()
            await line.put(_Piece(now_s() + passage.delay_s, data, passage.cut))

    async def _give(
        self, way: Direction, line: "asyncio.Queue[_Piece]", writer: asyncio.StreamWriter
    ) -> None:
        """Write each piece when it is due, none before those that came before it."""
        counts = self.crossing.counts[way]
        while True:
            piece = await line.get()
            await asyncio.sleep(piece.due_s - now_s())
            if piece.cut:
                counts.cut += 1
                raise _Broken
            if not piece.data:
                writer.write_eof()
                return
            counts.passed += 1
            writer.write(piece.data)
            await writer.drain()
