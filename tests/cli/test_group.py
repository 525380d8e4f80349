"""The command itself: a table, and ^C before anything has begun."""

import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from rigctl import cli
from rigctl.cli import exits, interrupts
from rigctl.cli.group import COMMANDS, rigctl

CONTEXT = click.Context(rigctl)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_where_the_table_says_and_does_what_it_says(name):
    command = rigctl.get_command(CONTEXT, name)
    assert command
    assert command.name == name
    assert command.help
    assert command.help.startswith(COMMANDS[name].help.removesuffix("."))


def test_help_lists_all_commands():
    said = CliRunner().invoke(rigctl, ["--help"]).stdout
    assert all(f"  {name} " in said for name in COMMANDS)


def test_help_loads_no_command():
    code = (
        "import sys; from rigctl.cli.group import rigctl\n"
        "rigctl(['--help'], standalone_mode=False)\n"
        "sys.exit('rich' in sys.modules or 'rigctl.cli.control' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_command_that_is_not_there_is_a_usage_error():
    assert CliRunner().invoke(rigctl, ["nonsense"]).exit_code == 2


def interrupted(name: str) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("wanted", ["rigctl.cli.group", "rigctl.cli.control"])
def test_an_interrupt_while_a_command_is_loaded_ends_in_silence(wanted, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rigctl", "status"])
    load = importlib.import_module

    def loading(name):
        return interrupted(name) if name == wanted else load(name)

    monkeypatch.setattr(importlib, "import_module", loading)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == interrupts.INTERRUPTED == 130
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_of_a_command_ends_in_silence(capsys):
    with pytest.raises(SystemExit) as caught:
        exits.told(interrupted)("")
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "")
