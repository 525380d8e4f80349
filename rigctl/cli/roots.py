"""Where the commands look for sessions: the same places as `rigctl.open_session`.

From: `recording.places`, the command line.  To: `cli.sessions` and the commands beside it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from rigctl.recording.places import Places, data_roots, rig_folders

__all__ = ["Places", "data_roots", "placed", "rig_folders"]

F = TypeVar("F", bound=Callable[..., Any])


def placed(command: F) -> F:
    """Give a command the options that say where to look and how to report."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="report as JSON"),
        click.option("--config", "lab_file", metavar="FILE", help="the lab file"),
        click.option(
            *("--data", "data"),
            metavar="DIR",
            multiple=True,
            type=click.Path(exists=True, file_okay=False),
            help="a data root; may be given several times",
        ),
    ):
        command = option(command)
    return command
