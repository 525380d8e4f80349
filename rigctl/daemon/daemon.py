"""The daemon's life: startup, main loop, shutdown.

From: `cli.serve`.  To: `net` (requests and answers), `daemon.rig` (their effects), systemd.
"""

import asyncio
import contextlib
import logging
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

from rigctl.address import Address
from rigctl.config import Rig as RigConfig
from rigctl.daemon.actions import Actions
from rigctl.daemon.loader import load_service
from rigctl.daemon.notify import notify, watchdog_interval_s
from rigctl.daemon.place import Place
from rigctl.daemon.recovery import find_left, recover_left
from rigctl.daemon.rig import Rig
from rigctl.daemon.selfcheck import SelfCheck, feed_watchdog
from rigctl.daemon.talk import Talk
from rigctl.daemon.timekeeping import follow_host_clock
from rigctl.daemon.wall import WallWatch
from rigctl.devices.checks import check_sources
from rigctl.errors import ConfigError, JournalError, Refused
from rigctl.net import Communicator, Options
from rigctl.net.echo import Dialect
from rigctl.net.secure import own_context, server_context
from rigctl.net.station import Station
from rigctl.streams import sweep

log = logging.getLogger(__name__)

_TICK_S = 0.5
_LATE_S = 10.0
_PORT_TRIES = 20


class Daemon:
    """One rig's daemon.

    Args:
        config: the rig's configuration; it is checked here, before anything starts.
        place: the folder of its state; what lies there is taken up again.

    Raises:
        ConfigError: a source's settings, the certificates or the service are wrong.
    """

    def __init__(self, config: RigConfig, place: Place) -> None:
        check_sources(config)
        self._config = config
        self._place = place
        journal = place.journal
        self._tls = server_context(config.tls) if config.listen.scheme == "tls" else None
        has_stream = self._tls is None
        self._station = Station.new(key=config.key, has_stream=has_stream, ledger=journal)
        self._station.context.memory.restore(journal.entries(), journal.floors())
        actions = Actions(config, load_service(config), held=[place.workers.fileno()])
        self._rig = Rig(config, actions, journal, self._station.clock)
        self._rig.rejections = self._station.rejections
        self._wall = WallWatch(self._station.clock, self._rig.note)
        self._failure: JournalError | None = None
        self._left: list[Path] = []
        self._stopping = asyncio.Event()
        self._why = "the daemon was stopped"
        self._looked_s = time.monotonic()
        self._fault = ""

    async def run(self, listening: Callable[[Address], None]) -> None:
        """Serve until SIGTERM or SIGINT, then stop recordings cleanly.

        Args:
            listening: told the address once commands are heard.

        Raises:
            ConfigError: the address cannot be listened to.
            JournalError: workers of a daemon that was killed do not end.
        """
        for name in sweep():
            log.warning("removed the shared memory %s of a process that is gone", name)
        self._left = find_left(self._config, self._place.found.path)
        with self._signals():
            async with self._servers() as servers:
                listening(servers[0].address)
                notify(READY=1, STATUS="CONNECTED")
                try:
                    await self._serve(servers)
                finally:
                    # Also when a part of ours failed: what runs is stopped and sealed.
                    await self._rig.shut_down(self._why)
        if self._failure:
            raise self._failure

    async def _serve(self, servers: list[Communicator]) -> None:
        """Answer and look after things until told to stop."""
        async with asyncio.TaskGroup() as group:
            parts = {"come back": self._come_back()}  # the first: it has the first turn
            parts |= {f"talk {s.address}": Talk(self._rig, s).run() for s in servers}
            parts |= {
                "tick": self._tick(),
                "host clock": follow_host_clock(self._rig.kept_by),
                "watchdog": self._feed_watchdog(servers),
                "tell systemd": self._tell_systemd(),
            }
            tasks = [group.create_task(part, name=name) for name, part in parts.items()]
            await self._stopping.wait()
            notify(STOPPING=1, STATUS=self._why)
            log.info("stopping: %s", self._why)
            await self._rig.shut_down(self._why)  # questions are answered meanwhile
            for task in tasks:
                task.cancel()

    async def _come_back(self) -> None:
        """Take up what the daemon before us left, and what others before it did."""
        try:
            await self._rig.come_back(self._place.found, self._place.wait_for_workers)
        except Refused as error:
            log.info("what the daemon before us left waits for the next one: %s", error)
            return
        except JournalError as error:
            # Another try, later, is systemd's or the user's.
            self._failure = error
            self.stop(str(error))
            return
        await recover_left(self._left, self._rig.note)

    def stop(self, why: str) -> None:
        """End the daemon in order; asked again, end the lab's hooks that hold it up."""
        if self._stopping.is_set():
            self._rig.interrupt()
            return
        self._why = why
        self._stopping.set()

    @contextlib.asynccontextmanager
    async def _servers(self) -> AsyncIterator[list[Communicator]]:
        """Listen on UDP and TCP, on the same port, with one memory of executed commands.

        Or on TLS alone, where the rig file says so.
        """
        servers = await self._listen()
        try:
            yield servers
        finally:
            for server in servers:
                server.close()

    async def _listen(self) -> list[Communicator]:
        wanted = self._config.listen
        if wanted.scheme == "tls":
            return [await self._listen_tls()]
        for attempt in range(_PORT_TRIES if wanted.port == 0 else 1):
            place = replace(wanted, scheme="udp")
            udp = Communicator(place, "server", name=self._config.name, station=self._station)
            tcp = None
            try:
                await udp.listen()
                place = replace(udp.address, scheme="tcp")
                tcp = Communicator(place, "server", name=self._config.name, station=self._station)
                await tcp.listen()
            except OSError as error:
                log.debug("attempt %d to listen on %s: %s", attempt, wanted, error)
                failure = error
                udp.close()
                if tcp:
                    tcp.close()
            else:
                return [udp, tcp]
        raise self._cannot_listen(failure)

    async def _listen_tls(self) -> Communicator:
        """Listen on TLS and on nothing else."""
        options, place = Options(tls=self._tls), self._config.listen
        server = Communicator(
            place, "server", name=self._config.name, options=options, station=self._station
        )
        try:
            await server.listen()
        except OSError as error:
            raise self._cannot_listen(error) from error
        return server

    def _cannot_listen(self, failure: OSError) -> ConfigError:
        why = failure.strerror or str(failure)
        problem = f"cannot listen on {self._config.listen}: {why}; is a daemon running?"
        return ConfigError(str(self._config.path), "listen", problem)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self.stop, f"{number.name} came")
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    async def _tick(self) -> None:
        """Look after the streams' figures."""
        while True:
            self._looked_s = time.monotonic()
            self._wall.look()
            await self._rig.look(self._looked_s)
            await asyncio.sleep(_TICK_S)

    async def _feed_watchdog(self, servers: list[Communicator]) -> None:
        """Feed the watchdog, if there is one, while our own functions work."""
        if interval_s := watchdog_interval_s():
            checks = {"the turn of commands": self._rig.check_turn, "the look": self._check_look}
            checks["the journal"] = self._rig.check_journal
            options = Options(dialect=Dialect.RIGCTL, key=self._config.key, tls=self._own_tls())
            asked = [] if self._tls and not options.tls else [one.address for one in servers]
            await feed_watchdog(SelfCheck(asked, options, checks), interval_s, self._tell_fault)

    def _own_tls(self) -> ssl.SSLContext | None:
        """Return how we ask ourselves over TLS; None if we listen on none, or cannot."""
        assert self._tls is None or self._config.tls
        context = own_context(self._tls, self._config.tls) if self._tls else None
        if self._tls and not context:
            log.warning("our certificate is none for clients: the watchdog asks no question by TLS")
        return context

    async def _check_look(self) -> None:
        if (late_s := time.monotonic() - self._looked_s) > _LATE_S:
            raise Refused(f"the last one began {late_s:.0f} s ago and has not ended")

    def _tell_fault(self, fault: str) -> None:
        self._fault = f"self-check failed: {fault}" if fault else ""
        self._rig.changed.set()

    async def _tell_systemd(self) -> None:
        """Keep systemd's STATUS line true."""
        told = ""
        while True:
            await self._rig.changed.wait()
            self._rig.changed.clear()
            line = "; ".join(filter(None, (self._fault, self._rig.report().one_line())))
            if line != told:
                notify(STATUS=line)
                told = line
