"""^C and SIGTERM as an orderly end.

From: the terminal, systemd, scripts.  To: `cli.starting`, `cli.run`, `cli.simulate`.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_KILLED_BY = 128
"""What shells add a signal's number to, for the exit code of a command that it ended."""

INTERRUPTED = _KILLED_BY + signal.SIGINT


@dataclass(slots=True)
class Interrupt:
    """The first ^C or SIGTERM, if one came."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    number: signal.Signals = signal.SIGINT

    @property
    def label(self) -> str:
        """What it is called in texts."""
        return "^C" if self.number is signal.SIGINT else self.number.name

    @property
    def exit_code(self) -> int:
        """The exit code of a command that it ended."""
        return _KILLED_BY + self.number


@contextlib.contextmanager
def on_interrupt() -> Iterator[Interrupt]:
    """Have the first ^C or SIGTERM noted; a second one ends the process at once."""
    loop, interrupt = asyncio.get_running_loop(), Interrupt()

    def release() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def note(number: signal.Signals) -> None:
        release()
        interrupt.number = number
        interrupt.came.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, note, number)
    try:
        yield interrupt
    finally:
        release()
