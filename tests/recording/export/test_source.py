"""What of a session goes into exports, and what is bookkeeping."""

from pathlib import Path

from rigctl.recording import layout
from rigctl.recording.events import RING_TAKEN, EventLog
from rigctl.recording.export.source import Source
from rigctl.recording.opened import open_session
from rigctl.recording.salvage import salvage
from tests.recording import making


def test_events_kept_for_a_recovery_are_not_exported(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    writer = making.record(session, making.signal())
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        events.append("amp", RING_TAKEN, {"sample": 0, "ring": "r", "ring_sample": 0})
        writer = type(writer).reopen(session.path / "amp", events)
        writer.end_at(2)
        writer.close()
        events.append("rig", "state", {"state": "STOPPED"})
    for path in (session.path, Path(salvage(session.path).target or "")):
        told = [event.kind for _, event in Source(open_session(path).rig, ()).events()]
        assert set(told) == {"state"}, path
