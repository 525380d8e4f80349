"""Confirmed round trips, one at a time: ours with ids and a key, against iblutil's, in one run."""

import asyncio
import time
from typing import Any

from iblutil.io.net import app

from benchmarks.rigs import QUIET, rigs
from benchmarks.table import Row, median, ratio
from rigctl.net import EchoProtocol, Options
from rigctl.net.echo import Dialect

KEY = b"k" * 32
ROUNDS = 9
TRIPS = 3000


async def _per_second(client: Any, trips: int) -> float:
    began = time.perf_counter()
    for _ in range(trips):
        await client.status(20)
    return trips / (time.perf_counter() - began)


async def _client(kind: str, uri: str) -> Any:
    if kind == "iblutil":
        return await app.EchoProtocol.client(uri, "rig", log=QUIET)
    options = Options(key=KEY, dialect=Dialect.RIGCTL)
    return await EchoProtocol.client(uri, "rig", options=options)


async def _measure(scheme: str, trips: int) -> dict[str, list[float]]:
    """Take turns, so that whatever else the computer does meets both alike."""
    with rigs("ours", scheme, 1, KEY) as ours, rigs("iblutil", scheme, 1) as theirs:
        clients = {
            "ours": await _client("ours", ours.uris[0]),
            "iblutil": await _client("iblutil", theirs.uris[0]),
        }
        rates: dict[str, list[float]] = {name: [] for name in clients}
        for client in clients.values():
            await _per_second(client, trips // 10)
        for _ in range(ROUNDS):
            for name, client in clients.items():
                rates[name].append(await _per_second(client, trips))
        for client in clients.values():
            client.close()
    return rates


def run(quick: bool = False) -> list[Row]:
    """Return a row for UDP and one for TCP."""
    rows = []
    for scheme in ("udp", "tcp"):
        rates = asyncio.run(_measure(scheme, TRIPS // 10 if quick else TRIPS))
        rows.append(
            Row(
                f"confirmed round trips per second, one at a time, {scheme.upper()}",
                f"{median(rates['ours']):.0f}",
                f"{median(rates['iblutil']):.0f} (iblutil)",
                ratio(rates["ours"], rates["iblutil"]),
                ">= 1.0, 1.5 aimed at",
            )
        )
    return rows
