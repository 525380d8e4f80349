"""The progress bar: late, and only where somebody looks."""

import io
import signal

import pytest
from rich.console import Console
from rich.progress import Progress

from rigctl.cli.latebar import LateBar


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("terminal", [True, False])
def test_it_appears_after_a_second_and_on_terminals_only(terminal: bool) -> None:
    clock, file = Clock(), io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80)
    with LateBar("verifying [eeg]", console, clock) as bar:
        clock.now_s += 1.0
        bar(10, 100)
        assert not bar.shown
        clock.now_s += 0.1
        bar(20, 100)
        assert bar.shown is terminal
    assert ("verifying [eeg]" in file.getvalue()) is terminal


def test_standard_error_of_a_program_without_terminal_stays_empty(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    clock = Clock()
    with LateBar("verifying", clock=clock) as bar:
        clock.now_s += 10
        bar(1, 2)
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_as_it_appears_comes_once_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library cannot stop what was interrupted as it started."""
    clock, start = Clock(), Progress.start
    started = []

    def interrupted(progress: Progress) -> None:
        signal.raise_signal(signal.SIGINT)
        start(progress)
        started.append(progress)

    monkeypatch.setattr(Progress, "start", interrupted)
    console = Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(KeyboardInterrupt), LateBar("copying", console, clock) as bar:
        clock.now_s += 2
        bar(1, 2)
    assert started and signal.getsignal(signal.SIGINT) is signal.default_int_handler
