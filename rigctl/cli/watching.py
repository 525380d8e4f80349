"""A report shown again and again until ^C.

From: commands with ``--watch``.  To: the terminal, or one line of JSON after the other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
import msgspec
from rich.console import RenderableType
from rich.live import Live

from rigctl.cli.desk import err, out
from rigctl.cli.outcome import as_text

_REFRESH_S = 1.0

R = TypeVar("R", bound=msgspec.Struct)


async def watch(
    report: R,
    again: Callable[[], Awaitable[R]],
    view: Callable[[R], RenderableType],
    as_json: bool,
) -> R:
    """Show a report and those that follow; return the last one.

    Args:
        report: the first one.
        again: makes the next one.
        view: shows one on a terminal.
        as_json: whether they are lines of JSON.
    """
    if as_json:
        while True:
            click.echo(as_text(report))
            await asyncio.sleep(_REFRESH_S)
            report = await again()
    try:
        with Live(view(report), console=out, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(_REFRESH_S)
                report = await again()
                live.update(view(report), refresh=True)
    except asyncio.CancelledError:
        err.print("^C: the rigs go on as they are")
        return report
