"""Salvage of recordings in several parts: samples and markers of all of them come into the new one.

From: recordings in parts of two blocks (`rolled`).
"""

from pathlib import Path

import numpy as np
import pytest

from rigctl.recording import layout
from rigctl.recording.events import EventLog
from rigctl.recording.reader import open_stream
from rigctl.recording.salvage import salvage
from rigctl.recording.salvage_report import SalvageReport
from rigctl.recording.session import Session
from tests.recording import making, rolled

BLOCKS = 5
MARKERS = [("", 0), *((f"S{number:3}", number * rolled.POINTS) for number in range(BLOCKS))]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = making.make_session(tmp_path)
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        rolled.record(session, events, BLOCKS).close()
    return session


def salvaged(session: Session) -> SalvageReport:
    """Salvage, and check that all samples and markers are there."""
    report = salvage(session.path)
    assert report.verified
    read = open_stream(Path(report.target or "") / "amp")
    np.testing.assert_array_equal(np.asarray(read.samples), rolled.expected(BLOCKS))
    found = [(marker.description, marker.position) for marker in read.markers]
    assert sorted(found) == sorted(MARKERS)
    return report


def test_all_parts_come_out_as_one_whole_recording(session: Session) -> None:
    assert salvaged(session).ok


def test_without_events_the_markers_are_those_of_every_part(session: Session) -> None:
    (session.path / layout.EVENTS).unlink()
    report = salvaged(session)
    assert f"{len(MARKERS)} markers are only in a .vmrk" in report.problems[-1]


def test_events_that_end_too_early_are_told_by_the_further_parts(session: Session) -> None:
    events = session.path / layout.EVENTS
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:-2]))
    assert "2 markers are only in a .vmrk" in salvaged(session).problems[-1]


def test_without_an_index_too_many_markers_are_not_made_up(session: Session) -> None:
    """Where parts begin, their sizes tell."""
    (session.path / layout.EVENTS).unlink()
    (session.path / "amp" / layout.INDEX).unlink()
    report = salvage(session.path, unverified=True)
    read = open_stream(Path(report.target or "") / "amp")
    np.testing.assert_array_equal(np.asarray(read.samples), rolled.expected(BLOCKS))
    found = [(m.description, m.position) for m in read.markers if m.type == "Stimulus"]
    assert found == MARKERS[1:]
