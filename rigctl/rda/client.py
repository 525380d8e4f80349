"""The RDA client: connects for ever and yields what the amplifier's program sends.

From: `connection` (messages), `assembly` (the items that they mean).  To: `devices.rda`.

    connect --refused--> wait (0.1 s, doubled up to 5 s, less some jitter) --> connect
       |                                    ^
       connected --> waiting for START --> running --connection lost, broken or silent--+
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from rigctl.blocks import Item, Lull
from rigctl.errors import DeviceError, ProtocolError
from rigctl.rda.assembly import Assembler
from rigctl.rda.connection import RdaConnection
from rigctl.rda.protocol import Parser
from rigctl.rda.wire import MAX_MESSAGE_BYTES

PORT_INT16 = 51234
"""Where the amplifier's program sends 16-bit data."""

PORT_FLOAT32 = 51244
"""Where it sends 32-bit float data."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Where the server is and how long to be patient with it."""

    host: str
    port: int = PORT_FLOAT32
    stall_s: float = 5.0
    """Silence while data are expected, after which the connection is taken for lost."""
    connect_s: float = 5.0
    """How long one attempt to connect may take."""
    backoff_s: tuple[float, float] = (0.1, 5.0)
    """The first and the longest wait between two attempts."""
    max_message_bytes: int = MAX_MESSAGE_BYTES

    @property
    def where(self) -> str:
        """The server's address, for people."""
        return f"{self.host}:{self.port}"


class RdaClient:
    """Yields items for ever, across every loss of the connection.

    Args:
        settings: where the server is and how long to be patient with it.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self.is_connected = False
        """Whether there is a connection at present."""
        self._lost = False
        self._said: Lull | None = None
        self._waits = _waits(*settings.backoff_s)

    def __aiter__(self) -> AsyncGenerator[Item, None]:
        """Connect, and yield what comes; closing the iterator closes the connection.

        Raises:
            DeviceError: the host's name can never be one.
        """
        return self._items()

    async def _items(self) -> AsyncGenerator[Item, None]:
        yield Lull(f"connecting to {self._settings.where}")
        while True:
            async with aclosing(self._attempt()) as items:
                async for item in items:
                    yield item
            await asyncio.sleep(next(self._waits))

    async def _attempt(self) -> AsyncGenerator[Item, None]:
        """Yield all that comes of one attempt to connect."""
        try:
            connection = await self._connect()
        except OSError as error:
            for lull in self._say(f"cannot connect to {self._settings.where}: {_text(error)}"):
                yield lull
            return
        self.is_connected = True
        try:
            async with aclosing(self._session(connection)) as items:
                async for item in items:
                    yield item
        except (ProtocolError, OSError) as error:
            self._lost, self.is_connected = True, False
            for lull in self._say(f"connection to {self._settings.where} lost: {error}"):
                yield lull
        finally:
            self.is_connected = False
            await connection.close()

    async def _session(self, connection: RdaConnection) -> AsyncGenerator[Item, None]:
        """Yield what one connection brings, until it raises why it ended."""
        self._lost = False
        for lull in self._say(f"connected to {self._settings.where}; waiting for START"):
            yield lull
        assembler = Assembler()
        while True:
            silence_s = self._settings.stall_s if assembler.expects_data else None
            for message, arrival_s in await connection.read(silence_s):
                for item in assembler.take(message, arrival_s):
                    yield item
            # Only a server that speaks RDA is worth an immediate new attempt.
            self._waits = _waits(*self._settings.backoff_s)

    async def _connect(self) -> RdaConnection:
        settings = self._settings
        try:
            async with asyncio.timeout(settings.connect_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: RdaConnection(Parser(settings.max_message_bytes, in_rows=True)),
                    settings.host,
                    settings.port,
                )
        except UnicodeError as error:
            raise DeviceError(f"{settings.host!r} cannot be the name of a host") from error
        return connection

    def _say(self, reason: str) -> list[Lull]:
        """Return the lull for this situation, unless it is still the one that was said."""
        lull = Lull(reason, self._lost)
        if lull == self._said:
            return []
        self._said = lull
        return [lull]


def _waits(first_s: float, longest_s: float) -> Iterator[float]:
    """Yield the waits between attempts; jitter keeps many clients from coming all at once."""
    wait_s = first_s
    while True:
        yield wait_s * random.uniform(0.5, 1.0)
        wait_s = min(2 * wait_s, longest_s)


def _text(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; does the program run, with remote data access switched on?"
    if isinstance(error, TimeoutError):
        return "no answer"
    return str(error)
