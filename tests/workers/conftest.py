"""A session, a track that records into it from rings of the test, and worker processes."""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from rigctl.blocks import StreamInfo
from rigctl.peers.orders import Order, RecorderSetup, SourceSetup
from rigctl.peers.track import Track
from rigctl.recording.events import EventLog
from rigctl.recording.layout import EVENTS
from rigctl.recording.manifest import seal
from rigctl.recording.reader import StreamReader, open_stream
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from rigctl.streams import sweep
from tests.recording.making import make_session
from tests.workers.listening import Listener
from tests.workers.making import Feed

_ROOT = Path(__file__).parents[2]
_DRIVERS = ("Chatty", "Changing", "Failing", "Leaving", "Stuck")

Feeds = Callable[..., Feed]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return make_session(tmp_path / "data")


@pytest.fixture
def feeds() -> Iterator[Feeds]:
    """Make feeds; their rings are gone after the test."""
    made: list[Feed] = []

    def make(layout: StreamInfo, ring_frames: int = 1024) -> Feed:
        made.append(Feed(layout, ring_frames))
        return made[-1]

    yield make
    for feed in made:
        feed.close()


class Deck:
    """A track of the stream `amp` and what belongs to it."""

    def __init__(self, session: Session, start_s: float | None = None, lead_s: float = 0.0) -> None:
        self.session = session
        self.events = EventLog(session.path / EVENTS, "recorder")
        self.reported = threading.Event()
        self.on_report: Callable[[], object] = lambda: None
        self.track = Track("amp", session.path, self.events, self._report, start_s, lead_s)

    def record(self, *feeds: Feed, stop_s: float | None = None) -> None:
        """Record all that is in the rings, one after the other, and close the files."""
        for feed in feeds:
            self.track.attach(feed.name, from_start=True)
        self.track.finish(stop_s)
        self.track.run()
        self.events.close()

    def start(self, feed: Feed) -> None:
        """Record from a ring on, in the track's own thread."""
        self.track.attach(feed.name, from_start=True)
        self.track.start()

    def wait_for_report(self) -> None:
        assert self.reported.wait(10)

    def finish(self, stop_s: float | None = None) -> None:
        """Have the track's own thread finish, and close the files."""
        self.track.finish(stop_s)
        self.track.join(10)
        assert not self.track.is_alive()
        self.events.close()

    def stream(self, folder: str = "amp") -> StreamReader:
        """Open a stream's folder, after the whole session was found to be intact."""
        report = verify(self.session.path)
        assert report.problems == []
        return open_stream(self.session.path / folder)

    def seal(self) -> None:
        """Seal the session with the track's digests: they must be those of the files."""
        seal(self.session, self.track.digests)
        assert verify(self.session.path, full=True).problems == []

    def _report(self) -> None:
        self.reported.set()
        self.on_report()


Decks = Callable[..., Deck]


@pytest.fixture
def decks(session: Session) -> Iterator[Decks]:
    """Make the deck of a test, which may have a start of its own."""
    made: list[Deck] = []

    def make(start_s: float | None = None) -> Deck:
        made.append(Deck(session, start_s))
        return made[-1]

    yield make
    for deck in made:
        if deck.track.is_alive():
            deck.track.finish()
            deck.track.join()
        deck.events.close()


@pytest.fixture
def deck(decks: Decks) -> Deck:
    return decks()


class Workers:
    """Starts worker processes; none outlives its test."""

    def __init__(self) -> None:
        self.started: list[Listener] = []

    async def source(
        self,
        device: str,
        *,
        ring_s: float = 10.0,
        stream: str = "amp",
        rig: str = "eeg",
        **own: object,
    ) -> Listener:
        setup = SourceSetup(rig, stream, device, dict(own), ring_s)
        return await self._start("source", f"source {stream}", setup)

    async def recorder(self, flush_s: float = 0.05) -> Listener:
        return await self._start("recorder", "recorder", RecorderSetup("eeg", flush_s))

    async def _start(self, module: str, name: str, setup: Order) -> Listener:
        self.started.append(await Listener.start(module, name, setup))
        return self.started[-1]


@pytest_asyncio.fixture
async def workers(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Workers]:
    caplog.set_level(logging.DEBUG, "rigctl")
    made = Workers()
    yield made
    await asyncio.gather(*(listener.stop() for listener in made.started))
    sweep()


@pytest.fixture
def drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the devices of `drivers` known to worker processes, as an installed package is."""
    package = tmp_path / "site/lab_drivers-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-drivers\nVersion: 1.0\n")
    points = [f"{name.lower()} = tests.workers.drivers:{name}" for name in _DRIVERS]
    (package / "entry_points.txt").write_text("\n".join(["[rigctl.devices]", *points, ""]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package.parent), str(_ROOT)]))
