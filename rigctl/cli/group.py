"""The ``rigctl`` command: a table of commands, each loaded when it is used.

From: the entry point.  To: one file per group of commands.
"""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from rigctl.cli.interrupts import INTERRUPTED


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, and what `--help` says of it."""

    module: str
    help: str


COMMANDS: Mapping[str, Entry] = {
    "chaos": Entry("chaos", "Rehearse with a bad network between the controller and the rigs."),
    "cleanup": Entry("control", "Release devices and seal the session on every rig."),
    "clock": Entry("clock", "Show by how much every rig's clock differs from this computer's."),
    "config": Entry("check", "Look at configuration files."),
    "info": Entry("control", "Show all that the rigs say of themselves."),
    "init": Entry("control", "Have every rig open its sources."),
    "key": Entry("key", "Make the key that a controller and its rigs share."),
    "resume": Entry("resume", "Bring the rigs to one legal state after a crash of the controller."),
    "run": Entry("run", "Start, record for a time, stop and clean up."),
    "serve": Entry("serve", "Run the daemon of one rig."),
    "service": Entry("service", "Have systemd run a rig's daemon, or resume after a restart."),
    "sessions": Entry(
        "sessions", "Look at recordings, prove that they are intact, and hand them over."
    ),
    "simulate": Entry("simulate", "Simulate devices, for demos and tests."),
    "start": Entry("control", "Bring every rig to RUNNING."),
    "status": Entry("control", "Show where every rig is and how its streams do."),
    "stop": Entry("control", "Stop the recording on every rig, the last one first."),
}
"""Each command by its name, which is also that of its function."""


class LazyGroup(click.Group):
    """A group whose commands are loaded when they are used: nobody waits for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, as they are listed."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None if there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        try:
            module: Any = importlib.import_module(f"rigctl.cli.{entry.module}")
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rigctl", prog_name="rigctl")
def rigctl() -> None:
    """Run one experiment on several computers: confirmed control, truthful recording."""
