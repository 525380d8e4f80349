"""``rigctl serve``: one rig daemon.

From: people, systemd.  To: `daemon.daemon`.
"""

import asyncio
import json
from pathlib import Path

import click

from rigctl import log
from rigctl.address import Address
from rigctl.cli.exits import told
from rigctl.config import load_rig
from rigctl.daemon.daemon import Daemon
from rigctl.daemon.place import Place


@click.command()
@click.argument("file", metavar="RIG.yaml", type=click.Path(path_type=Path))
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warning"]))
@click.option(
    "--log-style",
    default="auto",
    type=click.Choice(["auto", "text", "json"]),
    help="auto: text on a terminal, JSON lines elsewhere",
)
@click.option("--json", "as_json", is_flag=True, help="say the address as JSON")
@told
def serve(file: Path, log_level: str, log_style: str, as_json: bool) -> None:
    """Run the daemon of one rig until SIGTERM or ^C, which stop recordings cleanly."""
    rig = load_rig(file)
    log.configure(log_level, style=log_style)

    def listening(address: Address) -> None:
        where = f"{address.host} port {address.port}"
        fact = {"name": rig.name, "host": address.host, "port": address.port}
        how = "TLS" if address.scheme == "tls" else "UDP and TCP"
        click.echo(json.dumps(fact) if as_json else f"{rig.name} listens on {where}, {how}")

    async def run() -> None:
        with Place.take(rig) as place:
            await Daemon(rig, place).run(listening)

    asyncio.run(run())
