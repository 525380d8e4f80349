"""^C and SIGTERM as an orderly end.

From: the terminal, systemd, scripts.  To: `cli.run`, `cli.simulate`.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def on_interrupt(call: Callable[[], None]) -> Iterator[None]:
    """Have the first ^C or SIGTERM call a function; a second one ends the process at once."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def release() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)

    def interrupt() -> None:
        release()
        call()

    for number in numbers:
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        release()
