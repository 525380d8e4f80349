"""A proxy that stands for one rig, on UDP and TCP: what passes it meets a bad network.

From: ``rigctl chaos``, tests, benchmarks.  To: `net.chaos.datagrams`, `net.chaos.streams`.
"""

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Self

from rigctl.address import Address
from rigctl.net.chaos.crossing import Counts, Crossing
from rigctl.net.chaos.datagrams import DatagramRelay
from rigctl.net.chaos.streams import StreamRelay
from rigctl.net.weather import Direction, Forecast

_PORT_TRIES = 20
_RESOLVE_S = 5.0


class ChaosProxy:
    """A bad network between whoever speaks to `address` and a rig.

    Args:
        rig: where the rig listens.
        forecast: what becomes of all that passes; its clock is the event loop's.
        host: where the proxy listens.
        port: 0 for any that is free.
    """

    def __init__(
        self, rig: Address, forecast: Forecast, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.address = Address(rig.scheme, host, port)
        """Where it listens, on UDP and TCP, with the rig's own scheme."""
        self._rig = rig
        self._forecast = forecast
        self._crossing: Crossing | None = None
        self._datagrams: DatagramRelay | None = None
        self._streams: StreamRelay | None = None

    @property
    def counts(self) -> Mapping[Direction, Counts]:
        """What became of all that went each way."""
        return self._crossing.counts if self._crossing else {way: Counts() for way in Direction}

    @property
    def clients(self) -> int:
        """How many clients have a way to the rig at present, of both kinds."""
        return sum(relay.clients for relay in (self._datagrams, self._streams) if relay)

    async def __aenter__(self) -> Self:
        """Listen; from now on it stands for the rig.

        Raises:
            OSError: the rig's host is not known, or the proxy's own address cannot be bound.
        """
        self._crossing = await self._resolved()
        for _ in range(0 if self.address.port else _PORT_TRIES):
            with contextlib.suppress(OSError):  # the port is free on UDP and not on TCP
                await self._listen(self._crossing)
                return self
        await self._listen(self._crossing)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._datagrams and self._streams
        self._datagrams.close()
        await self._streams.close()

    async def _resolved(self) -> Crossing:
        rig, loop = self._rig, asyncio.get_running_loop()
        async with asyncio.timeout(_RESOLVE_S):
            found = await loop.getaddrinfo(rig.host, rig.port, type=socket.SOCK_DGRAM)
        family, *_, sockaddr = found[0]
        return Crossing(rig, family, sockaddr, self._forecast)

    async def _listen(self, crossing: Crossing) -> None:
        """Bind both sockets to one port, or none."""
        loop, host = asyncio.get_running_loop(), self.address.host
        transport, datagrams = await loop.create_datagram_endpoint(
            lambda: DatagramRelay(crossing), local_addr=(host, self.address.port)
        )
        port = transport.get_extra_info("sockname")[1]
        streams = StreamRelay(crossing)
        try:
            await streams.listen(host, port)
        except OSError:
            datagrams.close()
            raise
        self._datagrams, self._streams = datagrams, streams
        self.address = replace(self.address, port=port)
