"""The ``rigctl`` command and its groups.

From: the entry point.  To: one file per group of commands.
"""

from importlib.metadata import version

import click

from rigctl.cli.check import config
from rigctl.cli.control import cleanup, info, init, start, status, stop
from rigctl.cli.run import run
from rigctl.cli.serve import serve
from rigctl.cli.sessions import sessions
from rigctl.cli.simulate import simulate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("rigctl"), prog_name="rigctl")
def main() -> None:
    """Run one experiment on several computers: confirmed control, truthful recording."""


for _command in (
    serve,
    start,
    run,
    stop,
    cleanup,
    init,
    status,
    info,
    sessions,
    simulate,
    config,
):
    main.add_command(_command)
