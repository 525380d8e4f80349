"""Events of a recorder that cannot be written: said at once, and never another session's."""

import errno
import os
from pathlib import Path

import pytest

from rigctl.peers.orders import Begin, Counts, Ended, Note, Progress, Report
from rigctl.peers.recorder import Recorder
from rigctl.recording import events
from rigctl.recording.events import read_events
from rigctl.recording.layout import EVENTS
from rigctl.recording.session import Session
from tests.recording.making import REF, make_session


class Listening:
    """Stands where the daemon is, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Report] = []

    def report(self, report: Report) -> None:
        self.told.append(report)

    @property
    def last(self) -> Counts:
        last = self.told[-1]
        assert isinstance(last, Progress | Ended)
        return last.streams["amp"]


def failing(patch: pytest.MonkeyPatch, number: int) -> None:
    def fail(fd: int, data: bytes) -> None:
        raise OSError(number, os.strerror(number))

    patch.setattr(events, "write_all", fail)


def begin(recorder: Recorder, session: Session) -> None:
    recorder.obey(Begin(str(session.path), str(REF), {"amp": None}))


def note(recorder: Recorder, text: str) -> None:
    recorder.obey(Note("amp", "remark", text, {}, 0))


def kinds(session: Session) -> list[str]:
    return [event.kind for event in read_events(session.path / EVENTS).events]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_an_event_that_cannot_be_written_is_said_at_once_and_stays_in_its_session(
    tmp_path: Path, number: int
) -> None:
    one, other = make_session(tmp_path / "one"), make_session(tmp_path / "other")
    channel = Listening()
    recorder = Recorder(channel, flush_s=60.0)
    begin(recorder, one)
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, number)
        note(recorder, "lost")
        assert os.strerror(number) in channel.last.failure
        recorder.finish()
    assert os.strerror(number) in channel.last.failure
    begin(recorder, other)
    assert not channel.last.failure
    recorder.finish()
    assert kinds(one) == ["start"]
    assert kinds(other) == ["start", "stop"]


def test_an_event_that_waited_for_space_is_written_and_no_fault_any_more(tmp_path: Path) -> None:
    session, channel = make_session(tmp_path), Listening()
    recorder = Recorder(channel, flush_s=60.0)
    begin(recorder, session)
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, errno.ENOSPC)
        note(recorder, "late")
    note(recorder, "in time")
    assert not channel.last.failure
    recorder.finish()
    assert kinds(session) == ["start", "remark", "remark", "stop"]
