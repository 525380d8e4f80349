"""The sign of life is written now and then; what is wrong with the journal is told once."""

import pytest

from rigctl.daemon.pulse import EVERY_S, Pulse
from rigctl.errors import JournalError


class Journal:
    def __init__(self) -> None:
        self.written = 0
        self.is_full = False

    def live(self) -> None:
        if self.is_full:
            raise JournalError("the disk is full")
        self.written += 1


@pytest.fixture
def journal() -> Journal:
    return Journal()


def test_it_is_written_every_few_seconds(journal: Journal) -> None:
    pulse = Pulse(journal)  # type: ignore[arg-type]
    for tenth in range(int(EVERY_S * 20)):
        pulse.look(100.0 + tenth / 10)
    assert journal.written == 2


def test_a_fault_is_told_once_and_forgotten_when_it_is_over(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    pulse = Pulse(journal)  # type: ignore[arg-type]
    journal.is_full = True
    for _ in range(2):
        with pytest.raises(JournalError, match="disk is full"):
            pulse.check()
    assert (pulse.fault, len(caplog.records)) == ("the disk is full", 1)
    journal.is_full = False
    pulse.check()
    assert pulse.fault == ""
