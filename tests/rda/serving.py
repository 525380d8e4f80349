"""A server that says what a test tells it, and a reader of what a client makes of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from rigctl.blocks import Block, BlockFlags, Burst, Item, Lull, Notice, Run
from rigctl.rda.client import ClientSettings

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
DEADLINE_S = 20


def says(*messages: bytes) -> Script:
    """Send these and disconnect."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(messages))
        await writer.drain()

    return script


def says_and_stays(*messages: bytes) -> Script:
    """Send these and then nothing, for ever."""

    async def script(writer: asyncio.StreamWriter) -> None:
        await says(*messages)(writer)
        await asyncio.Event().wait()

    return script


@asynccontextmanager
async def server(*scripts: Script, port: int = 0) -> AsyncIterator[int]:
    """Serve one script per connection, the last one again and again; yields the port."""
    tasks: set[asyncio.Task[None]] = set()
    left = list(scripts)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await (left.pop(0) if len(left) > 1 else left[0])(writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def quick(port: int, **changes: object) -> ClientSettings:
    """Settings of a client that is not patient."""
    settings = ClientSettings("127.0.0.1", port, backoff_s=(0.001, 0.01))
    return replace(settings, **changes)


async def read_until(items: AsyncIterator[Item], last: Callable[[Item], bool]) -> list[Item]:
    """Return the items up to the first for which `last` holds; bursts are taken apart."""
    found: list[Item] = []
    async with asyncio.timeout(DEADLINE_S):
        async for item in items:
            one_by_one = apart(item)
            found += one_by_one
            if any(map(last, one_by_one)):
                return found
    raise AssertionError(f"the items ended: {found}")


def apart(item: Item) -> list[Item]:
    """Return the blocks of a burst, copied, or the item itself."""
    if isinstance(item, Block):
        return [replace(item, samples=item.samples.copy())]
    if not isinstance(item, Burst):
        return [item]
    return [
        Block(
            samples.copy(),
            item.counter + number,
            item.arrival_s,
            flags=BlockFlags.NONE if number else item.flags,
        )
        for number, samples in enumerate(item.samples)
    ]


def is_lost(item: Item) -> bool:
    return isinstance(item, Lull) and item.lost


def is_lull(text: str) -> Callable[[Item], bool]:
    return lambda item: isinstance(item, Lull) and text in item.reason


def is_block(counter: int) -> Callable[[Item], bool]:
    return lambda item: isinstance(item, Block) and item.counter == counter


def blocks(items: list[Item]) -> list[Block]:
    return [item for item in items if isinstance(item, Block)]


def runs(items: list[Item]) -> list[Run]:
    return [item for item in items if isinstance(item, Run)]


def lulls(items: list[Item]) -> list[Lull]:
    return [item for item in items if isinstance(item, Lull)]


def notices(items: list[Item], kind: str) -> list[Notice]:
    return [item for item in items if isinstance(item, Notice) and item.kind == kind]
