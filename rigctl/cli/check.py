"""``rigctl config check FILE``: what rigctl makes of a configuration, before anything starts.

From: people, scripts.  To: `config`, `devices.checks`, `daemon.loader`.
"""

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from rigctl.cli.exits import USAGE, told
from rigctl.cli.filekind import Kind, kind_of
from rigctl.cli.printing import print_json, show_grid, yes
from rigctl.config import Lab, Rig, RigEntry, SourceEntry, load_lab, load_rig
from rigctl.config.document import Document
from rigctl.daemon.loader import load_service
from rigctl.devices.checks import source_settings
from rigctl.errors import ConfigError
from rigctl.net.secure import client_context, server_context

_RIG_HEADINGS = ("rig", "address", "required", "dialect", "retries")
_SOURCE_HEADINGS = ("source", "device", "recorded", "required", "ring", "settings")


@dataclass(frozen=True, slots=True)
class _CheckedRig:
    """A rig file, and the settings of its devices, defaults included."""

    rig: Rig
    settings: Mapping[str, dict[str, Any]]


@click.group()
def config() -> None:
    """Look at configuration files."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print what was understood as JSON")
@told
def check(file: Path, as_json: bool) -> None:
    """Check a lab file or a rig file, and tell what was understood.

    A rig's own service is loaded and made; no device is opened.
    """
    try:
        found = _load(file)
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "error": str(error)})
        sys.exit(USAGE)
    if as_json:
        facts = _lab_facts(found) if isinstance(found, Lab) else _rig_facts(found)
        print_json({"ok": True, "file": str(file), **facts})
    elif isinstance(found, Lab):
        _print_lab(found)
    else:
        _print_rig(found)


def _load(file: Path) -> Lab | _CheckedRig:
    if kind_of(Document.read(file)) is Kind.LAB:
        lab = load_lab(file)
        if lab.tls:
            client_context(lab.tls)
        return lab
    rig = load_rig(file)
    if rig.tls:
        server_context(rig.tls)
    settings = source_settings(rig)
    with contextlib.redirect_stdout(sys.stderr):  # the lab's own code may print
        load_service(rig)
    return _CheckedRig(
        rig, {name: msgspec.to_builtins(own, enc_hook=str) for name, own in settings.items()}
    )


def _lab_facts(lab: Lab) -> dict[str, Any]:
    return {
        "kind": Kind.LAB.value,
        "lab": lab.name,
        "timeouts": {"echo_s": lab.timeouts.echo_s, "reply_s": lab.timeouts.reply_s},
        "data_root": str(lab.data_root.resolve()) if lab.data_root else None,
        "state_dir": str(lab.state_dir) if lab.state_dir else None,
        "stop_last": list(lab.stop_last),
        "clock_limit_s": lab.clock_limit_s,
        "go_after_s": lab.go_after_s,
        **_security_facts(lab),
        "rigs": {name: _entry_facts(entry) for name, entry in lab.rigs.items()},
    }


def _entry_facts(entry: RigEntry) -> dict[str, Any]:
    return {
        "uri": str(entry.address),
        "required": entry.required,
        "dialect": entry.dialect,
        "retries": entry.retries,
    }


def _rig_facts(checked: _CheckedRig) -> dict[str, Any]:
    rig = checked.rig
    return {
        "kind": Kind.RIG.value,
        "name": rig.name,
        "listen": str(rig.listen),
        "data_root": str(rig.data_root),
        "state_dir": str(rig.state_dir) if rig.state_dir else None,
        "main_sync": rig.main_sync,
        "service": rig.service,
        "flush_s": rig.flush_s,
        **_security_facts(rig),
        "sources": {
            name: _source_facts(entry, checked.settings[name])
            for name, entry in rig.sources.items()
        },
        "record": list(rig.record),
    }


def _security_facts(found: Lab | Rig) -> dict[str, Any]:
    """Return how peers are known; whether there is a key, never the key."""
    tls = found.tls
    files = {"cert": tls.cert, "key": tls.key, "ca": tls.ca} if tls else None
    return {
        "has_key": found.key is not None,
        "tls": {name: str(file) if file else None for name, file in files.items()}
        if files
        else None,
    }


def _source_facts(source: SourceEntry, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "device": source.device,
        "ring_s": source.ring_s,
        "required": source.required,
        "settings": settings,
    }


def _print_lab(lab: Lab) -> None:
    click.echo(f"{lab.path}: ok, the lab file of {lab.name}")
    click.echo(
        f"waits {lab.timeouts.echo_s:g} s for echoes, {lab.timeouts.reply_s:g} s for replies"
    )
    if lab.data_root:
        click.echo(f"sees recordings in {lab.data_root.resolve()}")
    click.echo(f"keeps its journal in {lab.state_dir or 'the folder of state of its user'}")
    click.echo(f"starts and stops {lab.go_after_s:g} s ahead{_last(lab)}")
    click.echo(f"warns of clocks that are more than {lab.clock_limit_s * 1e3:g} ms off")
    _print_security(lab)
    rows = [
        (name, str(rig.address), yes(rig.required), rig.dialect, str(rig.retries))
        for name, rig in lab.rigs.items()
    ]
    show_grid(_RIG_HEADINGS, rows, ("retries",))


def _last(lab: Lab) -> str:
    return f", stops {', '.join(lab.stop_last)} after all others" if lab.stop_last else ""


def _print_rig(checked: _CheckedRig) -> None:
    rig = checked.rig
    click.echo(f"{rig.path}: ok, the rig file of {rig.name}")
    click.echo(f"listens on {rig.listen}{', the main sync' if rig.main_sync else ''}")
    click.echo(f"records to {rig.data_root}, made durable every {rig.flush_s:g} s")
    if rig.state_dir:
        click.echo(f"keeps its journal in {rig.state_dir}")
    _print_security(rig)
    click.echo(f"runs {rig.service or 'no service of its own'}")
    rows = [
        (
            *(name, source.device, yes(name in rig.record), yes(source.required)),
            *(f"{source.ring_s:g} s", _settings(checked.settings[name])),
        )
        for name, source in rig.sources.items()
    ]
    show_grid(_SOURCE_HEADINGS, rows, ("ring",))


def _print_security(found: Lab | Rig) -> None:
    if found.key:
        click.echo("has a key: nothing is taken from who has it not")
    else:
        click.echo("has no key: messages are not authenticated")
    if found.tls and found.tls.cert:
        click.echo(f"shows the certificate {found.tls.cert}")
    if found.tls and found.tls.ca:
        click.echo(f"trusts the certificates of {found.tls.ca}")


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in settings.items() if value is not None)
