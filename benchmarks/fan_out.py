"""START to a hundred rigs: how far apart they receive it, and how long all replies take."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from iblutil.io.net import app

from benchmarks.delays import delayed
from benchmarks.rigs import QUIET, Rigs, rigs
from benchmarks.table import Row, median, ratio
from rigctl.controller import Services
from rigctl.net import EchoProtocol, Options

REF = "2024-01-01_1_subject"
KEY = b"k" * 32
RIGS = 100
ROUNDS = 7
DELAY_S = 0.0025
"""Each way: a round trip of 5 ms."""


async def _ours(uris: Sequence[str]) -> Services:
    options = Options(key=KEY)
    clients = [
        await EchoProtocol.client(uri, f"rig-{number}", options=options)
        for number, uri in enumerate(uris)
    ]
    return Services(clients, timeout=30.0)


async def _theirs(uris: Sequence[str]) -> Any:
    clients = [
        await app.EchoProtocol.client(uri, f"rig-{number}", log=QUIET)
        for number, uri in enumerate(uris)
    ]
    for client in clients:
        client.default_echo_timeout = 30.0
    return app.Services(clients, timeout=30.0)


async def _start(services: Any, served: Rigs) -> tuple[float, float]:
    """Return how far apart the rigs received START, and how long all took to reply."""
    began = time.perf_counter()
    await services.start(REF)
    total = time.perf_counter() - began
    received = sorted(served.told()["receipts"])
    if len(received) < RIGS:
        raise RuntimeError(f"{len(received)} rigs of {RIGS} received START")
    return received[-1] - received[0], total


async def _measure(delay_s: float, rounds: int) -> dict[str, list[tuple[float, float]]]:
    results: dict[str, list[tuple[float, float]]] = {"ours": [], "iblutil": []}
    with (
        rigs("ours", "udp", RIGS, KEY) as ours,
        rigs("iblutil", "udp", RIGS) as theirs,
        delayed(ours.uris, delay_s) as to_ours,
        delayed(theirs.uris, delay_s) as to_theirs,
    ):
        services = {
            "ours": (await _ours(to_ours), ours),
            "iblutil": (await _theirs(to_theirs), theirs),
        }
        for number in range(rounds + 1):
            for name, (sent, served) in services.items():
                result = await _start(sent, served)
                if number:  # the first opens the ways
                    results[name].append(result)
        for sent, _ in services.values():
            sent.close()
    return results


def run(quick: bool = False) -> list[Row]:
    """Return the rows of the plain network and of one with 5 ms round trips."""
    rounds = 5 if quick else ROUNDS
    near = asyncio.run(_measure(0.0, rounds))
    far = asyncio.run(_measure(DELAY_S, rounds))
    skew = {name: [skew for skew, _ in found] for name, found in near.items()}
    total = {name: [total for _, total in found] for name, found in near.items()}
    trips = {name: [total / (2 * DELAY_S) for _, total in found] for name, found in far.items()}
    return [
        Row(
            f"START to {RIGS} rigs: first to last receipt",
            f"{median(skew['ours']) * 1e3:.1f} ms",
            f"{median(skew['iblutil']) * 1e3:.1f} ms (iblutil)",
            ratio(skew["ours"], skew["iblutil"]),
            "<= 0.10",
        ),
        Row(
            f"START to {RIGS} rigs with replies, total",
            f"{median(total['ours']) * 1e3:.1f} ms",
            f"{median(total['iblutil']) * 1e3:.1f} ms (iblutil)",
            ratio(total["ours"], total["iblutil"]),
            "<= 0.25",
        ),
        Row(
            "the same at a round trip of 5 ms, total in round trips",
            f"{median(trips['ours']):.1f}",
            f"{median(trips['iblutil']):.1f} (iblutil)",
            ratio(trips["ours"], trips["iblutil"]),
            "< 3 round trips",
        ),
    ]
