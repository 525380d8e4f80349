"""What the commands that speak to rigs share: the lab file, the event loop, signs of life.

From: `cli.control`, `cli.run`.  To: `controller.desk`.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import click
from rich.console import Console

from rigctl import log
from rigctl.cli.exits import told
from rigctl.config import Lab, find_lab_file, load_lab
from rigctl.controller import Desk

_PIPE_COLUMNS = 10_000

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

err = Console(stderr=True, soft_wrap=True, highlight=False)
# On a pipe a line stays a line, however long.
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)


def lab_command(command: F) -> F:
    """Give a command the options that all commands to rigs have, and errors in one sentence."""
    command = told(command)
    command = click.option("--json", "as_json", is_flag=True, help="report as JSON")(command)
    return click.option(
        "--config", "lab_file", metavar="FILE", help="the lab file ($RIGCTL_CONFIG, ./rigctl.yaml)"
    )(command)


def with_desk(lab_file: str | None, act: Callable[[Desk], Awaitable[R]]) -> R:
    """Open the lab's desk and do something with it."""
    lab = read_lab(lab_file)

    async def run() -> R:
        async with Desk(lab) as desk:
            return await act(desk)

    return asyncio.run(run())


def read_lab(lab_file: str | None) -> Lab:
    """Read the lab file given, or the one that is found; warnings go to the terminal."""
    log.configure("warning", style="text")
    return load_lab(find_lab_file(lab_file))


@contextlib.contextmanager
def busy(text: str) -> Iterator[None]:
    """Show that something is going on: a spinner on a terminal, a line elsewhere."""
    if sys.stderr.isatty():
        with err.status(text):
            yield
    else:
        err.print(text)
        yield
