"""A session with all that happens in one: a filled gap, a second segment, a roll-over, markers."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from rigctl.blocks import Marker, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.recording import layout
from rigctl.recording.events import EventLog
from rigctl.recording.manifest import seal
from rigctl.recording.session import ClockOffset, ClockPair, Session
from rigctl.recording.stream_writer import StreamWriter
from tests.recording import making

BEGAN = ClockPair.now()
"""Events are stamped with both clocks, too: those of a session agree with them."""
BEGAN_UNIX_S, BEGAN_MONOTONIC_S = BEGAN.unix_s, BEGAN.monotonic_s
LOST_S = 5.0
POINTS, FILLED = 40, 30
COUNT = 5 * POINTS + FILLED
SECOND = 3 * POINTS + FILLED
"""Where the second segment begins."""

MARKERS = (
    Marker(1, "Stimulus", "S  1"),
    Marker(5, "Response", "Jürgen, 左 µ", 3, 1),
    Marker(SECOND + 2, "Comment", 'a "b" <c> & \\d'),
)
EVENT = "Ende, äußerst"
TEXTS = ("Stimulus/S  1", "Response/Jürgen, 左 µ", 'Comment/a "b" <c> & \\d')


def arrival_s(position: int, info: StreamInfo, late_s: float = 0.0) -> float:
    """When the sample before a position has been taken, half a second after the session began."""
    lost_s = LOST_S if position > SECOND else 0.0
    return BEGAN_MONOTONIC_S + 0.5 + position / float(info.rate_hz) + lost_s + late_s


def create(root: Path, rig: str = "eeg") -> Session:
    header = msgspec.structs.replace(making.header(), clock=BEGAN)
    return Session.create(root, making.REF, rig, header)


def fill_stream(
    session: Session, info: StreamInfo, name: str = "amp", *, split: bool = False
) -> np.ndarray:
    """Record a stream into a session, in two parts on demand, and return all of its samples."""
    roll = Roll(SECOND * info.frame_bytes) if split else None
    frames = making.frames(info, COUNT, seed=7)
    frames[2 * POINTS : 2 * POINTS + FILLED] = np.nan if info.numpy_dtype.kind == "f" else 0
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        folder = session.path / name
        with StreamWriter.create(folder, info, name=name, events=events, roll=roll) as writer:
            writer.new_segment(when(0, info))
            writer.mark(*MARKERS[:2])
            append(writer, frames, 0, POINTS)
            append(writer, frames, POINTS, 2 * POINTS, late_s=0.004)
            at_s = arrival_s(SECOND, info)
            writer.fill(FILLED, counter=2, arrival_s=at_s)
            append(writer, frames, 2 * POINTS + FILLED, SECOND)
            writer.new_segment(when(SECOND, info), lost=True, missing=7)
            append(writer, frames, SECOND, SECOND + POINTS)
            writer.mark(MARKERS[2])
            append(writer, frames, SECOND + POINTS, COUNT)
        at = {"unix_s": BEGAN_UNIX_S + 9, "monotonic_s": BEGAN_MONOTONIC_S + 9}
        events.append("recorder", "stop", {"text": EVENT}, **at)
    return frames


def append(
    writer: StreamWriter, frames: np.ndarray, start: int, stop: int, late_s: float = 0.0
) -> None:
    writer.append(
        frames[start:stop],
        counter=start // POINTS,
        arrival_s=arrival_s(stop, writer.info, late_s),
    )


def when(position: int, info: StreamInfo) -> datetime:
    rig_s = arrival_s(position + 1, info) - BEGAN_MONOTONIC_S + BEGAN_UNIX_S
    return datetime.fromtimestamp(rig_s, UTC)


def taken_s(info: StreamInfo) -> np.ndarray:
    """When each sample was taken, in seconds since the session began, on the rig clock."""
    found = 0.5 + (np.arange(COUNT) + 1) / float(info.rate_hz)
    found[SECOND:] += LOST_S
    return found


def offsets(*values: tuple[float, float]) -> tuple[ClockOffset, ...]:
    """Offsets that were measured so many seconds after the session began."""
    return tuple(
        ClockOffset(unix_s=BEGAN_UNIX_S + at_s, reference="desk", offset_s=offset_s, bound_s=0.0002)
        for at_s, offset_s in values
    )


def make(
    root: Path, *, rig: str = "eeg", split: bool = False, **streams: StreamInfo
) -> tuple[Session, dict]:
    """Record and seal a session; return it, and the samples of each stream."""
    session = create(root, rig)
    frames = {name: fill_stream(session, info, name, split=split) for name, info in streams.items()}
    session.update(clock_offsets=offsets((0.0, 0.25), (10.0, 0.2502)))
    seal(session)
    return session, frames
