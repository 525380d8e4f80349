"""``rigctl key new``: make the key that a controller and its rigs share.

From: people, once per lab.  To: `config.key`.
"""

from pathlib import Path

import click
import platformdirs

from rigctl.cli.exits import told
from rigctl.cli.printing import print_json
from rigctl.config.key import new_key
from rigctl.errors import ConfigError


@click.group()
def key() -> None:
    """Make the key that a controller and its rigs share."""


@key.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="say where it is as JSON")
@told
def new(path: Path | None, as_json: bool) -> None:
    """Make a new key in the file PATH, which only you can read; nothing is overwritten.

    Without PATH it lies in your own configuration folder, such as ~/.config/rigctl/key.
    """
    place = (path or platformdirs.user_config_path("rigctl") / "key").expanduser().absolute()
    _make(place)
    if as_json:
        print_json({"ok": True, "key_file": str(place)})
        return
    click.echo(f"made {place}; only you can read it")
    click.echo(_NEXT.format(place))


_NEXT = """\
copy it to every rig by a safe way, such as scp -p, so that only the daemon's user reads it there
name it in the lab file and in every rig file:
    key_file: {}
a rig with the key takes nothing from who has it not; one without takes commands from anybody"""


def _make(place: Path) -> None:
    """Make the key.

    Raises:
        ConfigError: something is there already, or it cannot be written.
    """
    try:
        new_key(place)
    except FileExistsError:
        problem = (
            "is there already and is not overwritten: name another place (rigctl key new PATH)"
        )
        raise ConfigError(str(place), "", problem) from None
    except OSError as error:
        raise ConfigError(str(place), "", f"cannot be written: {error.strerror}") from error
