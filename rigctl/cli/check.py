"""``rigctl config check FILE``: what rigctl makes of a configuration, before anything starts.

From: people, scripts.  To: `config`, `devices.checks`, `daemon.loader`.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from rigctl.cli.exits import USAGE, told
from rigctl.cli.filekind import Kind, kind_of
from rigctl.cli.grid import show_grid
from rigctl.config import Lab, Rig, SourceEntry, load_lab, load_rig
from rigctl.config.document import Document
from rigctl.daemon.loader import load_service
from rigctl.devices.checks import source_settings
from rigctl.errors import ConfigError

Understood = dict[str, Any]
"""A configuration as plain JSON: what was read, and the defaults of what was not said."""


@click.group()
def config() -> None:
    """Look at configuration files."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print what was understood as JSON")
@told
def check(file: Path, as_json: bool) -> None:
    """Check a lab file or a rig file, and tell what was understood.

    A rig's own service is loaded; no device is opened.
    """
    if not as_json:
        _print(_understood(file))
        return
    try:
        click.echo(_json({"ok": True} | _understood(file)))
    except ConfigError as error:
        click.echo(_json({"ok": False, "error": str(error)}))
        sys.exit(USAGE)
