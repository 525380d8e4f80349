"""A progress bar that appears only when something takes long enough to wonder about.

From: work that tells how far it is.  To: standard error, on a terminal only.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

_LATE_S = 1.0


class LateBar:
    """Shows bytes done of bytes in all; called with both, within ``with``.

    Args:
        label: what is worked on.
        console: where it is shown; standard error where it is not given.
        clock: tells seconds.
    """

    def __init__(
        self,
        label: str,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # A terminal is a terminal, whatever FORCE_COLOR says: a log file wants no bars.
        console = console or Console(stderr=True, force_terminal=sys.stderr.isatty())
        self._wanted = console.is_terminal
        self._clock = clock
        self._begin_s = clock()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task(escape(label), total=None)
        self.shown = False
        """Whether it has appeared."""

    def __call__(self, done: int, total: int) -> None:
        """Tell how far it is."""
        self._progress.update(self._task, completed=done, total=total)
        if self._wanted and not self.shown and self._clock() - self._begin_s > _LATE_S:
            self.shown = True
            with _uninterrupted():
                self._progress.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.shown:
            with _uninterrupted():
                self._progress.stop()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold ^C back: the library cannot stop a bar that was interrupted as it started."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)
