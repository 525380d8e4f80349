"""Sessions opened for analysis with one call, while they are recorded and after.

From: the folders of a data root.  To: `rigctl.open_session`, exports.

    session = rigctl.open_session("2024-01-01_1_subject")
    amp = session["eeg"]["amp"]         # or session.stream("amp") where one rig alone has it
    amp.samples[1000:2000]              # read from disk only now
    amp.times[1000:2000]                # seconds since 1970 on the synchronised clock
    session["eeg"].events, session["eeg"].clock, amp.markers, amp.gaps, amp.raw()
"""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rigctl.errors import NotRecorded, RecordingError
from rigctl.messages import ExpRef
from rigctl.recording import layout, reader
from rigctl.recording.durable import naming
from rigctl.recording.events import Event, EventsRead, read_events
from rigctl.recording.markers import logged_markers
from rigctl.recording.opened_stream import OpenStream
from rigctl.recording.places import Places, rig_folders
from rigctl.recording.session import Session, SessionRecord, Window, is_sealed
from rigctl.recording.session_clock import SessionClock

Place = str | os.PathLike[str]


def open_session(
    ref_or_path: str | os.PathLike[str] | ExpRef, data: Place | Iterable[Place] | None = None
) -> "OpenSession":
    """Open a session of one or several rigs; nothing of it is changed, and samples are not read.

    What is recorded after it was opened is seen when it is opened again.

    Args:
        ref_or_path: an experiment reference such as ``2024-01-01_1_subject``, the folder of a
            session number, or one rig's folder in it.
        data: the data root or roots in which a reference is looked for; else those of
            ``$RIGCTL_DATA``, else that of the lab file, else ``./data``.

    Raises:
        SessionNotFound: there is none; with where it was looked for.
        RecordingError: what describes it is damaged.
        ConfigError: the lab file is wrong.
    """
    folders = rig_folders(_target(ref_or_path), Places(_roots(data)))
    return OpenSession({name: _open_rig(path) for name, path in folders.items()})


@dataclass(frozen=True, eq=False)
class OpenRig(Mapping[str, OpenStream]):
    """One rig's part in a session: its streams by folder, and what is known beside them."""

    path: Path
    record: SessionRecord
    """What `session.json` says."""
    event_log: EventsRead
    clock: SessionClock
    """The rig's clock, and how far the reference's was."""
    opened: Mapping[str, OpenStream | RecordingError]
    """Its streams by folder, or why one cannot be read, which is raised when it is asked for."""

    @property
    def name(self) -> str:
        """The rig's name."""
        return self.record.rig

    @property
    def reference(self) -> str:
        """The session's reference."""
        return self.record.reference

    @property
    def events(self) -> tuple[Event, ...]:
        """Markers, lines and changes of state, in the order in which they were written."""
        return self.event_log.events

    @property
    def window(self) -> Window | None:
        """The recorded interval, and where it begins and ends in each stream."""
        return self.record.window

    @property
    def is_sealed(self) -> bool:
        """Whether it has its manifest, so that nothing of it changes any more."""
        return is_sealed(self.path)

    @property
    def streams(self) -> Mapping[str, OpenStream]:
        """Its streams by folder; the same as the rig itself."""
        return self

    def event_unix_s(self, event: Event) -> float:
        """Return when an event happened, in seconds since 1970 on the synchronised clock."""
        return self.clock.unix_s(event.monotonic_s, near_unix_s=event.unix_s)

    def __getitem__(self, name: str) -> OpenStream:
        found = self.opened.get(name)
        if isinstance(found, RecordingError):
            raise found
        if found is None:
            raise _unknown("stream", name, self.opened, f"{self.reference} {self.name}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.opened)

    def __contains__(self, name: object) -> bool:
        return name in self.opened

    def __len__(self) -> int:
        return len(self.opened)

    def __repr__(self) -> str:
        streams = "".join(f"\n  {_described(one)}" for one in self.opened.values())
        sealed = "sealed" if self.is_sealed else "not sealed"
        state = f"{self.record.state}, {sealed}, {len(self.events)} events"
        return f"<{self.reference} {self.name}: {state}: {self.path}{streams}>"


class OpenSession(Mapping[str, OpenRig]):
    """A session: its rigs by name; where there is only one, its streams and the rest as well."""

    def __init__(self, rigs: Mapping[str, OpenRig]) -> None:
        self.rigs = dict(rigs)

    @property
    def reference(self) -> str:
        """The session's reference."""
        return next(iter(self.rigs.values())).reference

    @property
    def rig(self) -> OpenRig:
        """The only rig.

        Raises:
            NotRecorded: there are several; naming them.
        """
        if len(self.rigs) > 1:
            names = ", ".join(self.rigs)
            first = next(iter(self.rigs))
            raise NotRecorded(
                f"{self.reference} has several rigs ({names}): say which, such as "
                f"session[{first!r}]"
            )
        return next(iter(self.rigs.values()))

    @property
    def streams(self) -> Mapping[str, OpenStream]:
        """The only rig's streams; `rig` says what is raised where there are several."""
        return self.rig

    @property
    def events(self) -> tuple[Event, ...]:
        """The only rig's events."""
        return self.rig.events

    @property
    def clock(self) -> SessionClock:
        """The only rig's clock."""
        return self.rig.clock

    def stream(self, name: str, rig: str | None = None) -> OpenStream:
        """Return a stream by its folder's name.

        Raises:
            NotRecorded: there is no such rig, no such stream, or several rigs have one.
        """
        if rig is not None:
            return self[rig][name]
        having = [key for key, one in self.rigs.items() if name in one]
        if len(having) == 1:
            return self.rigs[having[0]][name]
        if having:
            names = ", ".join(having)
            raise NotRecorded(f"{self.reference}: several rigs have a stream {name} ({names})")
        every = [stream for one in self.rigs.values() for stream in one]
        raise _unknown("stream", name, every, self.reference)

    def __getitem__(self, name: str) -> OpenRig:
        if name not in self.rigs:
            raise _unknown("rig", name, self.rigs, self.reference)
        return self.rigs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rigs)

    def __len__(self) -> int:
        return len(self.rigs)

    def __repr__(self) -> str:
        rigs = "".join(f"\n{rig!r}" for rig in self.rigs.values())
        return f"<session {self.reference}{rigs}>"


def _target(ref_or_path: str | os.PathLike[str] | ExpRef) -> str:
    return str(ref_or_path) if isinstance(ref_or_path, ExpRef) else os.fspath(ref_or_path)


def _roots(data: Place | Iterable[Place] | None) -> tuple[str, ...]:
    if data is None:
        return ()
    places = [data] if isinstance(data, str | os.PathLike) else list(data)
    return tuple(os.fspath(place) for place in places)


def _open_rig(path: Path) -> OpenRig:
    record, log = Session.open(path).record, path / layout.EVENTS
    events = read_events(log) if log.exists() else EventsRead((), ())
    clock = SessionClock(record.clock, record.clock_offsets, events.events)
    with naming(path):
        folders = layout.stream_folders(path)
    opened = {folder.name: _open_stream(folder, clock, events) for folder in folders}
    return OpenRig(path, record, events, clock, opened)


def _open_stream(
    folder: Path, clock: SessionClock, events: EventsRead
) -> OpenStream | RecordingError:
    try:
        found = reader.open_stream(folder)
    except RecordingError as error:
        return error
    return OpenStream(found, clock, logged_markers(events.events, folder.name))


def _described(opened: OpenStream | RecordingError) -> str:
    return f"<cannot be read: {opened}>" if isinstance(opened, RecordingError) else repr(opened)


def _unknown(what: str, name: str, known: Iterable[str], where: str) -> NotRecorded:
    """Return the error of a name that nothing has, with what it may have been meant for."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    there = f"there is {', '.join(names)}" if names else "there is none"
    return NotRecorded(f"{where} has no {what} {name}: {there}{meant}")
