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


@pytest.mark.parametrize("name", ["start", "stop"])
def test_an_interrupt_while_it_is_drawn_waits_until_it_is(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real, done = getattr(Progress, name), []

    def interrupted(progress: Progress) -> None:
        signal.raise_signal(signal.SIGINT)
        real(progress)
        done.append(progress)

    monkeypatch.setattr(Progress, name, interrupted)
    clock, console = Clock(), Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(KeyboardInterrupt), LateBar("verifying", console, clock) as bar:
        clock.now_s += 10
        bar(1, 2)
    assert done
