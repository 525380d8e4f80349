"""``rigctl service install``: have systemd run a rig's daemon, or resume after a restart.

From: people, once per computer.  To: unit files, with the texts of `cli.units`.
"""

import os
import pwd
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from rigctl.cli.exits import told
from rigctl.cli.filekind import Kind, kind_of
from rigctl.cli.printing import print_json
from rigctl.cli.units import (
    CONTROLLER,
    RIG_TEMPLATE,
    WRITTEN,
    Setting,
    controller_unit,
    rig_unit,
)
from rigctl.config import load_lab, load_rig
from rigctl.config.document import Document
from rigctl.errors import ConfigError

_SYSTEM_UNITS = Path("/etc/systemd/system")
_TEMPLATES = ("services/systemd", "share/rigctl/systemd")
"""Where templates are, from a folder above this file: in a checkout, and where it is installed."""
_FIRST_PERSON = 1000
"""The first user id that is a person's (login.defs(5))."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit that is to be written."""

    name: str
    text: str
    user: str | None
    """As whom the system runs it; None for a user's own systemd."""
    enable: str
    """How it is enabled."""
    notes: tuple[str, ...]
    """What is to be minded."""

    @property
    def path(self) -> Path:
        return (_SYSTEM_UNITS if self.user else _user_units()) / self.name

    @property
    def commands(self) -> tuple[str, str]:
        """What is to be called next."""
        systemctl = "systemctl" if self.user else "systemctl --user"
        return f"{systemctl} daemon-reload", f"{systemctl} {self.enable} {self.name}"


@click.group()
def service() -> None:
    """Have systemd run a rig's daemon, or resume after a restart."""


@service.command()
@click.argument("file", metavar="RIG.yaml|LAB.yaml", type=click.Path(path_type=Path))
@click.option(
    "--system/--user",
    default=None,
    help="for the system, run as who owns the file, or for you alone; default: system for root",
)
@click.option("--dry-run", is_flag=True, help="write nothing, show the unit")
@click.option("--json", "as_json", is_flag=True, help="report as JSON")
@told
def install(file: Path, system: bool | None, dry_run: bool, as_json: bool) -> None:
    """Write the systemd unit of a rig's daemon, or of the lab's controller.

    Nothing is enabled or started; what is to be called for that is said.
    """
    unit = _unit(file, os.geteuid() == 0 if system is None else system)
    if not dry_run:
        _write(unit)
    if as_json:
        facts = {"unit": unit.name, "path": str(unit.path), "user": unit.user, "text": unit.text}
        more = {"written": not dry_run, "next": unit.commands, "notes": unit.notes}
        print_json({"ok": True, **facts, **more})
    else:
        _tell(unit, dry_run)


def _tell(unit: _Unit, dry_run: bool) -> None:
    if dry_run:
        click.echo(unit.text, nl=False)
        return
    click.echo(f"wrote {unit.path}" + (f", which runs as {unit.user}" if unit.user else ""))
    click.echo("nothing is enabled or started yet; go on with")
    for command in unit.commands:
        click.echo(f"    {command}")
    for note in unit.notes:
        click.echo(f"note: {note}")


def _unit(file: Path, system: bool) -> _Unit:
    """Return the unit for a file.

    Raises:
        ConfigError: the file is wrong.
    """
    kind = kind_of(Document.read(file))
    owner = _owner(file) if system else None
    setting = Setting(_program(), owner)
    notes = _notes(file, owner)
    if kind is Kind.LAB:
        text = controller_unit(_template(CONTROLLER), load_lab(file), setting)
        return _Unit(CONTROLLER, text, owner, "enable", notes)
    rig = load_rig(file)
    if not rig.data_root.is_dir():
        whose = f", and give it to {owner}" if owner else ""
        notes = (f"make {rig.data_root} before you start it{whose}", *notes)
    text = rig_unit(_template(RIG_TEMPLATE), rig, setting)
    return _Unit(RIG_TEMPLATE.replace("@", f"@{rig.name}"), text, owner, "enable --now", notes)


def _notes(file: Path, owner: str | None) -> tuple[str, ...]:
    if owner is None:
        return ("loginctl enable-linger has it run also while you are not logged in",)
    if file.stat().st_uid < _FIRST_PERSON:
        return ()
    # logind.conf(5), RemoveIPC
    return (
        f"loginctl enable-linger {owner}: else the shared memory of {owner}, which holds the "
        "streams, is removed whenever they log out",
    )


def _owner(file: Path) -> str:
    number = file.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _program() -> list[str]:
    """Return the command that is ours, as another process finds it."""
    beside = Path(sys.executable).with_name("rigctl")
    found = str(beside) if beside.exists() else shutil.which("rigctl")
    return [str(Path(found).absolute())] if found else [sys.executable, "-m", "rigctl"]


def _user_units() -> Path:
    given = os.environ.get("XDG_CONFIG_HOME")
    return (Path(given) if given else Path.home() / ".config") / "systemd/user"


def _template(name: str) -> str:
    """Return the text of a template.

    Raises:
        ConfigError: rigctl was installed without it.
    """
    for above in Path(__file__).resolve().parents:
        for folder in _TEMPLATES:
            if (path := above / folder / name).is_file():
                return path.read_text("utf-8")
    raise ConfigError(name, "", f"is not in {' or '.join(_TEMPLATES)}: install rigctl again")


def _write(unit: _Unit) -> None:
    """Write a unit.

    Raises:
        ConfigError: another one is there that is not ours, or it cannot be written.
    """
    path = unit.path
    try:
        if path.is_symlink() or (path.exists() and not path.read_text().startswith(WRITTEN)):
            problem = "was not written by rigctl and is left alone: remove it, or put it elsewhere"
            raise ConfigError(str(path), "", problem)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(unit.text, "utf-8")
        path.chmod(0o644)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(str(path), "", f"cannot be written: {why}") from error
