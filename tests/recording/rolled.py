"""Recordings in parts of two blocks for the tests."""

from pathlib import Path

import numpy as np

from rigctl.blocks import Marker, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.recording import brainvision, layout
from rigctl.recording.events import EventLog
from rigctl.recording.session import Session
from rigctl.recording.stream_writer import StreamWriter
from tests.recording import making
from tests.recording.making import WHEN, frames

INFO = making.signal("int16")
POINTS = 4
ROLL = Roll(10 * INFO.frame_bytes, 3600)
"""Two blocks to a part."""


def create(
    session: Session, events: EventLog | None, roll: Roll = ROLL, info: StreamInfo = INFO
) -> StreamWriter:
    return StreamWriter.create(session.path / "amp", info, name="amp", events=events, roll=roll)


def add(writer: StreamWriter, number: int) -> None:
    """Append a block, a marker on its first sample."""
    writer.mark(Marker(writer.samples, "Stimulus", f"S{number:3}"))
    block = frames(writer.info, POINTS, number)
    writer.append(block, counter=number, arrival_s=100 + number)


def record(session: Session, events: EventLog | None, blocks: int = 7) -> StreamWriter:
    """Record blocks in parts of two; the writer is left open."""
    writer = create(session, events)
    writer.new_segment(WHEN)
    for number in range(blocks):
        add(writer, number)
    return writer


def expected(blocks: int, info: StreamInfo = INFO) -> np.ndarray:
    return np.concatenate([frames(info, POINTS, number) for number in range(blocks)])


def names(writer: StreamWriter) -> set[str]:
    return {path.name for path in writer.folder.iterdir()}


def marks(folder: Path, part: int = 1) -> list[tuple[str, int]]:
    data = layout.part_name("data.eeg", part)
    found = brainvision.read_markers(folder / layout.marker_name(data))
    return [(marker.description, marker.position) for marker in found]
