"""Where sessions are looked for, and which folders a reference or a path means.

From: ``--data``, ``$RIGCTL_DATA``, the lab file, the current folder.  To: `cli.sessions`,
`cli.copying`.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from rigctl.config import find_lab_file, load_lab
from rigctl.errors import ConfigError
from rigctl.recording.reader import resolve

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULT = "data"


@dataclass(frozen=True, slots=True)
class Places:
    """What the command line says of where sessions are."""

    data: tuple[str, ...] = ()
    """The data roots given; empty for those that are found."""
    lab_file: str | None = None
    """The lab file given."""


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


def data_roots(places: Places) -> list[Path]:
    """Return the data roots, absolute, none twice.

    Those given, else those of ``$RIGCTL_DATA``, else that of the lab file, else ``./data``.

    Raises:
        ConfigError: the lab file is wrong; one that is not there is none only if it was not given.
    """
    named = [part for part in os.environ.get("RIGCTL_DATA", "").split(os.pathsep) if part]
    roots = [Path(part).expanduser() for part in places.data or named]
    return _unique(roots or [_lab_root(places.lab_file) or Path(_DEFAULT)])


def rig_folders(target: str, places: Places) -> dict[str, Path]:
    """Return the rig folders that a target means, by the rig's name.

    Args:
        target: an experiment reference, the folder of a session number, or one rig's folder in it.
        places: where to look for a reference.

    Raises:
        SessionNotFound: with where it was looked for.
        ConfigError: as `data_roots`.
    """
    path = Path(target).expanduser()
    is_folder = path.is_dir()
    # Absolute, so that a rig's folder has a name even where the target is a dot.
    meant = str(path.resolve()) if is_folder else target
    return _by_name(resolve(meant, [] if is_folder else data_roots(places)))


def _lab_root(lab_file: str | None) -> Path | None:
    try:
        path = find_lab_file(lab_file)
    except ConfigError:
        return None  # nobody named one, and recordings can be read without
    return load_lab(path).data_root if lab_file or path.exists() else None


def _unique(roots: Sequence[Path]) -> list[Path]:
    """Return the roots without those that are others by another name."""
    return list(dict.fromkeys(root.resolve() for root in roots))


def _by_name(folders: Sequence[Path]) -> dict[str, Path]:
    """Return folders by name; by path where two data roots have the same rig's."""
    names = [folder.name for folder in folders]
    return {
        name if names.count(name) == 1 else str(folder): folder
        for name, folder in zip(names, folders, strict=True)
    }
