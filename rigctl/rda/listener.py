"""What an amplifier's program sends, in an event loop: the asynchronous half of `live.Client`.

From: `client`.  To: scripts and notebooks that have a loop.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rigctl.blocks import Block, BlockFlags, Burst, Item, StreamInfo
from rigctl.errors import StreamError
from rigctl.rda.client import ClientSettings, RdaClient
from rigctl.rda.layout import start_of

Address = tuple[str, int]
"""The host and port of the amplifier's program."""


@dataclass(frozen=True, slots=True)
class StartMessage:
    """What the amplifier's program said about its samples, under the protocol's own names."""

    nChannels: int  # noqa: N815
    dSamplingInterval: float  # noqa: N815
    """Between two samples, in microseconds."""
    dResolutions: tuple[float, ...]  # noqa: N815
    """Physical value of one unit of each channel, in µV where INFO says nothing else."""
    sChannelNames: tuple[str, ...]  # noqa: N815

    @classmethod
    def of(cls, info: StreamInfo) -> "StartMessage":
        """Return what announces a layout."""
        start = start_of(info)
        return cls(len(start.names), start.interval_us, start.resolutions, start.names)


class Listener:
    """Yields items within ``async with``; losses of the connection are lulls.

    Args:
        address: where to connect; needed within ``async with`` only.
        stall_s: silence while samples are expected, after which it connects anew.
    """

    def __init__(self, address: Address | None, stall_s: float) -> None:
        self._address = address
        self._stall_s = stall_s
        self._items: AsyncGenerator[Item, None] | None = None

    async def __aenter__(self) -> Self:
        self._items = _one_by_one(RdaClient(self._settings(self._own_address())))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        items, self._items = self._items, None
        if items is not None:
            await items.aclose()

    def __aiter__(self) -> AsyncIterator[Item]:
        """Yield what comes, see `rigctl.blocks`: block by block, the samples a copy.

        Raises:
            StreamError: it is not within ``async with``.
        """
        if self._items is None:
            raise StreamError("a client is iterated within `async with` only")
        return self._items

    def _settings(self, address: Address) -> ClientSettings:
        host, port = address
        return ClientSettings(host or "127.0.0.1", port, stall_s=self._stall_s)

    def _own_address(self) -> Address:
        if self._address is None:
            raise StreamError("it does not know where to connect: Client(address=(host, port))")
        return self._address


async def _one_by_one(client: RdaClient) -> AsyncGenerator[Item, None]:
    async with aclosing(aiter(client)) as items:
        async for item in items:
            for one in _apart(item):
                yield one


def _apart(item: Item) -> Iterator[Item]:
    match item:
        case Block(samples, counter, arrival_s, markers, flags):
            yield Block(samples.copy(), counter, arrival_s, markers, flags)
        case Burst(samples, counter, arrival_s, flags):
            for number, one in enumerate(samples):
                first = flags if number == 0 else BlockFlags.NONE
                yield Block(one.copy(), counter + number, arrival_s, (), first)
        case _:
            yield item
