"""A session, and a track that records into it from rings of the test."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rigctl.blocks import StreamInfo
from rigctl.peers.track import Track
from rigctl.recording.events import EventLog
from rigctl.recording.layout import EVENTS
from rigctl.recording.manifest import seal
from rigctl.recording.reader import StreamReader, open_stream
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.recording.making import make_session
from tests.workers.making import Feed

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

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events = EventLog(session.path / EVENTS, "recorder")
        self.reported = threading.Event()
        self.on_report: Callable[[], object] = lambda: None
        self.track = Track("amp", session.path, self.events, self._report)

    def record(self, *feeds: Feed) -> None:
        """Record all that is in the rings, one after the other, and close the files."""
        for feed in feeds:
            self.track.attach(feed.name, from_start=True)
        self.track.finish()
        self.track.run()
        self.events.close()

    def start(self, feed: Feed) -> None:
        """Record from a ring on, in the track's own thread."""
        self.track.attach(feed.name, from_start=True)
        self.track.start()

    def wait_for_report(self) -> None:
        assert self.reported.wait(10)

    def finish(self) -> None:
        """Have the track's own thread finish, and close the files."""
        self.track.finish()
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


@pytest.fixture
def deck(session: Session) -> Iterator[Deck]:
    made = Deck(session)
    yield made
    if made.track.is_alive():
        made.track.finish()
        made.track.join()
    made.events.close()
