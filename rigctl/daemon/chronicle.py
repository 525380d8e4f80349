"""What is put on record of a session beside its samples: window, episodes, clocks.

From: `daemon.recording`, as things happen.  To: ``session.json``, one writer at a time.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable

import msgspec

from rigctl.daemon.clock_samples import ClockSamples
from rigctl.daemon.episodes import Episodes
from rigctl.errors import RecordingError
from rigctl.peers.orders import Counts, Interruption
from rigctl.recording.session import ClockOffset, Episode, Session, Window, wall_s
from rigctl.reports import Condition

log = logging.getLogger(__name__)

_FRESH_S = 60.0
"""A clock sample from before the session is its first if it is not older."""


class Chronicle:
    """The record of one session at a time, from `begin` or `take_over` to `closed`."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._window: Window | None = None
        self._episodes = Episodes()
        self._clocks = ClockSamples()
        self._interruptions: set[Interruption] = set()
        self._short: set[str] = set()
        self._unsaved = False
        self._writing = asyncio.Lock()

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """What was noted of wrong conditions so far."""
        return self._episodes.all

    def begin(self, session: Session, start_s: float | None) -> None:
        """A session begins, at an instant on the rig's clock or now."""
        self._take(session, (), ())
        self._window = Window(start_unix_s=wall_s(start_s))

    def take_over(self, session: Session, since_unix_s: float | None, *, goes_on: bool) -> None:
        """Take over what a daemon before us left.

        Args:
            session: opened.
            since_unix_s: when it was last seen to be recorded; what was the case then has ended.
            goes_on: whether it is recorded again; else its window is closed.
        """
        record = session.record
        self._take(session, record.episodes, record.clock_offsets)
        self._episodes.look((), time.time() if since_unix_s is None else since_unix_s)
        if goes_on:
            window = record.window or Window(start_unix_s=record.clock.unix_s)
            self._window = msgspec.structs.replace(window, stop_unix_s=None)

    async def run(self) -> None:
        """Put on record that it is recorded now.

        Raises:
            RecordingError: it cannot be written.
        """
        await self.update(state="RUNNING", **self._noted())

    async def end(self, stop_unix_s: float) -> None:
        """Put on record that it has ended.

        Raises:
            RecordingError: it cannot be written.
        """
        window, self._window = self._window, None
        if window:
            window = msgspec.structs.replace(window, stop_unix_s=stop_unix_s)
        self._episodes.look((), time.time())
        self._clocks.close()
        await self.update(state="STOPPED", window=window, **self._noted())

    def see(self, conditions: Iterable[Condition]) -> None:
        """Note what is wrong with the session at present, and what no longer is."""
        if self._window and self._episodes.look(conditions, time.time()):
            self._unsaved = True

    def note_clock(self, sample: ClockOffset) -> None:
        """Note how far another clock is; before a session begins, it is the first of it."""
        if not self._window:
            self._clocks.latest = sample
        elif self._clocks.note(sample):
            self._unsaved = True

    def take_counts(self, stream: str, counts: Counts) -> None:
        """Note where the window falls in a stream, and what a crash cost it."""
        if self._window:
            positions = dict(self._window.positions)
            for folder, found in counts.positions.items():
                positions[folder] = _merged(positions.get(folder), found)
            self._unsaved = self._unsaved or positions != self._window.positions
            self._window = msgspec.structs.replace(self._window, positions=positions)
            self._take_short(stream, counts)
        lost = counts.interruption
        if lost and lost not in self._interruptions:
            self._interruptions.add(lost)
            self._episodes.add(_episode(stream, lost))
            self._unsaved = True

    def _take_short(self, stream: str, counts: Counts) -> None:
        if counts.short and stream not in self._short:
            self._short.add(stream)
            detail = f"ends {counts.short} samples before the stop: no more came in time"
            now_s = time.time()
            self._episodes.add(
                Episode(
                    condition="DEGRADED",
                    source=stream,
                    since_unix_s=now_s,
                    until_unix_s=now_s,
                    detail=detail,
                )
            )

    async def save(self) -> None:
        """Have ``session.json`` say what was noted."""
        if not self._unsaved:
            return
        self._unsaved = False
        try:
            await self.update(**self._noted())
        except RecordingError as error:
            log.error("the session cannot say what is wrong with it: %s", error)

    @contextlib.asynccontextmanager
    async def closed(self) -> AsyncIterator[Session | None]:
        """Hold the session, which is put on record no more, while nobody else writes to it."""
        session, self.session = self.session, None
        async with self._writing:
            yield session

    async def update(self, **changes: object) -> None:
        """Replace fields of ``session.json``.

        Raises:
            RecordingError: it cannot be written.
        """
        if self.session:  # else its seal may take long, and has the last word
            async with self._writing:
                await self._update(changes)

    async def _update(self, changes: dict[str, object]) -> None:
        if self.session:
            await asyncio.to_thread(self.session.update, **changes)

    def _take(
        self, session: Session, episodes: Iterable[Episode], offsets: Iterable[ClockOffset]
    ) -> None:
        latest = self._clocks.latest
        self.session = session
        self._window = None
        self._episodes = Episodes(episodes)
        self._clocks = ClockSamples(offsets)
        self._interruptions, self._short = set(), set()
        if latest and time.time() - latest.unix_s < _FRESH_S:
            self._clocks.note(latest)

    def _noted(self) -> dict[str, object]:
        noted: dict[str, object] = {"clock_offsets": self._clocks.all}
        noted["episodes"] = self._episodes.all
        return noted | ({"window": self._window} if self._window else {})


def _merged(
    before: tuple[float, float | None] | None, found: tuple[float | None, float | None]
) -> tuple[float, float | None]:
    """A stream that went on after a crash began where it began before."""
    start, stop = found
    known = before[0] if before else 0.0
    return known if start is None else start, stop


def _episode(stream: str, lost: Interruption) -> Episode:
    since_unix_s = lost.until_unix_s if lost.since_unix_s is None else lost.since_unix_s
    return Episode(
        condition="DEGRADED",
        source=stream,
        since_unix_s=since_unix_s,
        until_unix_s=lost.until_unix_s,
        detail=f"interrupted by {lost.cause}: {_count(lost)} missing before sample "
        f"{lost.position} of {lost.folder}",
    )


def _count(lost: Interruption) -> str:
    if lost.is_exact:
        return f"{lost.missing} samples are" if lost.missing else "nothing is"
    return f"about {lost.missing} samples are" if lost.missing else "an unknown number is"
