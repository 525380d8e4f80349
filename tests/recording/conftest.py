"""A session that is recorded, and its log of events."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rigctl.recording import layout
from rigctl.recording.events import EventLog
from rigctl.recording.session import Session
from tests.recording import making


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return making.make_session(tmp_path)


@pytest.fixture
def events(session: Session) -> Iterator[EventLog]:
    with EventLog(session.path / layout.EVENTS, "recorder") as log:
        yield log
