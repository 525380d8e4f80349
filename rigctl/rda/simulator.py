"""A simulated RDA server: plays a source to any number of clients, as an amplifier's program would.

From: a `source.Source`.  To: RDA clients, ours and other people's.

A client gets INFO and NEW STATE when it connects, START too while a run is on, then the newest
data. A run ends with NEW STATE idle and STOP; between runs clients get keep-alives. Blocks leave at
absolute deadlines. A slow client is dropped from, never waited for; except with `once`, where a
replay is to arrive complete: then every client is waited for, and a replay whose clients left
within a second, as programs do that wait for a port to open, begins again with the next client.
"""

import asyncio
import logging
import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from types import TracebackType
from typing import Self

from rigctl.blocks import Marker
from rigctl.errors import ConfigError
from rigctl.rda.client import PORT_FLOAT32
from rigctl.rda.encode import encode
from rigctl.rda.faultlist import FAULTS
from rigctl.rda.faults import Mischief, Moment
from rigctl.rda.layout import info_of, start_of
from rigctl.rda.link import Link
from rigctl.rda.messages import Data, KeepAlive, NewState, State, Stop
from rigctl.rda.pacing import Pace
from rigctl.rda.source import Source

_log = logging.getLogger(__name__)

_NEW_SEGMENT = "New Segment"
_FIRST_BLOCK = 1
_PROBE_S = 1.0


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Where and how a simulated server plays.

    Raises:
        ConfigError: a value is impossible.
    """

    host: str = "127.0.0.1"
    port: int = PORT_FLOAT32
    """0 for any that is free; `Simulator.port` tells."""
    block_s: float = 0.02
    """Length of a block; one point at least."""
    speed: float = 1.0
    """Times the true rate; infinity, with `once`, for as fast as the clients take it."""
    once: bool = False
    """Wait for a client, play from the first to the last sample, wait for slow clients."""
    queue_blocks: int = 64
    """How many blocks wait for a slow client before some are dropped."""
    keep_alive_s: float = 0.05
    fault: str = ""
    """What goes wrong again and again, see `faultlist`; empty for nothing."""

    def __post_init__(self) -> None:
        for key in ("block_s", "speed", "queue_blocks", "keep_alive_s"):
            if not getattr(self, key) > 0:
                raise ConfigError("", key, f"{getattr(self, key)} must be more than 0")
        if self.fault and self.fault not in FAULTS:
            known = ", ".join(FAULTS)
            raise ConfigError("", "fault", f"{self.fault!r} is none of {known}")
        if self.speed == math.inf and not self.once:
            raise ConfigError("", "speed", "an endless server cannot be infinitely fast; use once")


class Simulator:
    """A server; it listens within ``async with`` and plays while `run` is awaited.

    Args:
        source: what it plays.
        settings: where and how.

    Raises:
        ConfigError: `once` with a source that never ends.
    """

    def __init__(self, source: Source, settings: SimulatorSettings | None = None) -> None:
        self._settings = settings or SimulatorSettings()
        self._source = _playable(source, self._settings)
        self._mischief = Mischief(FAULTS.get(self._settings.fault))
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._keep_alive: asyncio.Task[None] | None = None
        self._client_came = asyncio.Event()
        self._client_came_s = -math.inf
        self._probed = False
        self._running = False
        self._block = _FIRST_BLOCK
        self.sent_samples = 0
        """Points that left since the last run began, for whoever listened."""

    @property
    def port(self) -> int:
        """The port on which it listens."""
        assert self._server is not None, "the server listens within `async with` only"
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._links)

    @property
    def dropped_blocks(self) -> int:
        """Blocks that were dropped for clients that are still connected."""
        return sum(link.dropped for link in self._links)

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Link(settings.queue_blocks, self._on_client, self._on_lost),
            settings.host,
            settings.port,
        )
        self._keep_alive = asyncio.create_task(self._keep_clients(), name="rda-keep-alive")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None and self._keep_alive is not None
        self._keep_alive.cancel()
        with suppress(asyncio.CancelledError):
            await self._keep_alive
        self._server.close()
        await asyncio.gather(*(link.close(flush=error is None) for link in set(self._links)))
        await self._server.wait_closed()

    async def run(self, source: Source | None = None) -> None:
        """Play; without `once`, until cancelled. Every run is a new START for every client.

        Args:
            source: what to play from now on; the same as before where it is not given.

        Raises:
            ConfigError: `once` with a source that never ends.
        """
        self._begin(source)
        try:
            await self._play()
            while self._probed:
                self._rewind()
                await self._play()
        finally:
            self._running = False
            self._send(encode(NewState(State.IDLE)) + encode(Stop()))
        if self._settings.once:
            await self._all_idle()

    def _begin(self, source: Source | None) -> None:
        if source is not None:
            self._source = _playable(source, self._settings)
            self._send(encode(info_of(self._source.info)))
        self._rewind()
        self._running = True
        self._send(self._announcement())

    def _rewind(self) -> None:
        self._block, self.sent_samples, self._probed = _FIRST_BLOCK, 0, False

    async def _play(self) -> None:
        settings, source = self._settings, self._source
        if settings.once and not self._links:
            self._client_came.clear()
            await self._client_came.wait()
        pace = Pace(float(source.info.rate_hz) * settings.speed)
        longest = max(round(source.info.rate_hz * settings.block_s), 1)
        while not settings.once or self.sent_samples < (source.points or 0):
            lap, begin = _place(source, self.sent_samples)
            points = min(longest, source.points - begin) if source.points else longest
            await pace.reach(self.sent_samples + points)
            if settings.once:
                await self._all_idle()
            if self._probed:
                return
            self._send_block(begin, points, again=lap > 0)

    def _send_block(self, begin: int, points: int, *, again: bool) -> None:
        markers = self._source.markers(begin, points)
        if again:
            markers = _without_new_segment(markers)
        number = self._mischief.number(self._block)
        samples = self._source.read(begin, points)
        acts = self._mischief.acts(Moment(number, samples, markers, start_of(self._source.info)))
        if acts is None:
            data = encode(Data(number, samples, markers))
            for link in self._links:
                link.send_block(data)
        else:
            for link, act in product(tuple(self._links), acts):
                link.perform(act)
        self._block += 1
        self.sent_samples += points

    def _send(self, message: bytes) -> None:
        for link in self._links:
            link.send(message)

    def _announcement(self) -> bytes:
        return encode(NewState(State.MONITORING)) + encode(start_of(self._source.info))

    def _on_client(self, link: Link) -> None:
        state = self._announcement() if self._running else encode(NewState(State.IDLE))
        link.send(self._mischief.greeting(encode(info_of(self._source.info)) + state))
        self._links.add(link)
        self._client_came_s = asyncio.get_running_loop().time()
        self._client_came.set()

    def _on_lost(self, link: Link) -> None:
        self._links.discard(link)
        stayed_s = asyncio.get_running_loop().time() - self._client_came_s
        # Not asked at the next block: by then another client may be there, and miss the beginning.
        if self._settings.once and not self._links and stayed_s < _PROBE_S:
            self._probed = True

    async def _all_idle(self) -> None:
        """Wait for slow clients: with `once`, nothing may be dropped for them."""
        for link in set(self._links):
            if not link.is_idle:
                _log.debug("waiting for a slow client, since a replay is to arrive complete")
                await link.idle()

    async def _keep_clients(self) -> None:
        message = encode(KeepAlive())
        while True:
            await asyncio.sleep(self._settings.keep_alive_s)
            if not self._running:
                for link in self._links:
                    if link.is_idle:
                        link.send(message)


def _playable(source: Source, settings: SimulatorSettings) -> Source:
    if settings.once and source.points is None:
        raise ConfigError("", "once", "the source never ends, so that it cannot be played once")
    return source


def _place(source: Source, played: int) -> tuple[int, int]:
    """Return how often the whole source was played, and the point that is next."""
    return (0, played) if source.points is None else divmod(played, source.points)


def _without_new_segment(markers: tuple[Marker, ...]) -> tuple[Marker, ...]:
    """Return the markers of a lap after the first, which goes on without interruption."""
    return tuple(marker for marker in markers if marker.type != _NEW_SEGMENT)
