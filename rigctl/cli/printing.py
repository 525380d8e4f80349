"""How reports are printed: rows of cells, folded to a terminal's width, plain elsewhere; JSON.

From: commands that report.  To: standard output.

On a pipe a line stays a line, however long: no folding, no colour, no trailing blanks.
"""

import json
import sys
from collections.abc import Collection, Iterator, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Sequence[str]

_BETWEEN = "  "


def show_grid(headings: Row, rows: Sequence[Row], numbers: Collection[str] = ()) -> None:
    """Print rows under their headings.

    Args:
        headings: one per column.
        rows: each with a cell per column.
        numbers: the headings of the columns that are aligned to the right.
    """
    if sys.stdout.isatty():
        Console(file=sys.stdout).print(_table(headings, rows, numbers))
        return
    for line in plain_lines(headings, rows, numbers):
        click.echo(line)


def print_json(value: object) -> None:
    """Print plain values as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def yes(answer: bool) -> str:
    """Return a truth value as a cell."""
    return "yes" if answer else "no"


def plain_lines(headings: Row, rows: Sequence[Row], numbers: Collection[str] = ()) -> Iterator[str]:
    """Yield the headings and the rows as aligned text; arguments as `show_grid`."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        cells = zip(headings, row, widths, strict=True)
        yield _BETWEEN.join(
            cell.rjust(width) if heading in numbers else cell.ljust(width)
            for heading, cell, width in cells
        ).rstrip()


def _table(headings: Row, rows: Sequence[Row], numbers: Collection[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        side = "right" if heading in numbers else "left"
        table.add_column(heading, justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*map(Text, row))  # not read as markup: names may hold brackets
    return table
