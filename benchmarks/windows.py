"""Recording windows of several rigs, each behind a network that delays by up to seconds.

Real daemons with a simulated device each, on one computer: all their clocks are one, so that what
differs between the recorded windows is what rigctl got wrong, and may be no more than the bounds
that it states of the rigs' clocks.
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.daemons import served
from benchmarks.table import Row, median
from rigctl.address import Address
from rigctl.config import Lab, RigEntry
from rigctl.config.lab import Timeouts
from rigctl.controller import Desk
from rigctl.messages import Event, ExpRef, Message
from rigctl.net import EchoProtocol
from rigctl.net.chaos import ChaosProxy
from rigctl.net.tickets import Ticket
from rigctl.net.weather import Forecast, Weather
from rigctl.recording.session import Session

RIGS = 4
RATE_HZ = 1000
DELAY_S = 2.0
RECORD_S = 2.0


@dataclass
class Windows:
    """What the rigs recorded of one session."""

    starts_s: list[float]
    """When each window began, on the wall clock that all share."""
    stops_s: list[float]
    samples: list[int]
    start_bounds_s: list[float]
    """What was stated of each rig's clock when it was told to start."""
    stop_bounds_s: list[float]

    @property
    def apart_s(self) -> float:
        """By how much the windows differ at the most, at their beginnings or their ends."""
        return max(max(s) - min(s) for s in (self.starts_s, self.stops_s))

    @property
    def allowed_s(self) -> float:
        """By how much two of them may differ: both bounds, and a sample."""
        return max(map(_allowed_s, (self.start_bounds_s, self.stop_bounds_s)))

    @property
    def worst(self) -> float:
        """What part of what they may differ by they do differ by, at beginnings or ends."""
        pairs = (self.starts_s, self.start_bounds_s), (self.stops_s, self.stop_bounds_s)
        return max((max(s) - min(s)) / _allowed_s(bounds_s) for s, bounds_s in pairs)


def _allowed_s(bounds_s: list[float]) -> float:
    return sum(sorted(bounds_s)[-2:]) + 1 / RATE_HZ


class _Bounds:
    """Notes what is known of the rigs' clocks whenever one is told something."""

    def __init__(self, desk: Desk) -> None:
        self._found: dict[Event, list[float]] = {}
        for rig in desk.services.values():
            self._watch(rig)

    def take(self, event: Event) -> list[float]:
        """Return the bounds of all rigs at this event, and forget them."""
        return self._found.pop(event, [])

    def _watch(self, rig: EchoProtocol) -> None:
        submit = rig.submit

        def submitting(message: Message, **options: Any) -> Ticket:
            if offset := rig.clock_offset:
                self._found.setdefault(message.event, []).append(offset.bound_s)
            return submit(message, **options)

        rig.submit = submitting  # type: ignore[method-assign]


def rig_files(folder: Path, count: int) -> list[Path]:
    """Write rigs with a simulated device each."""
    files = []
    for number in range(count):
        source = {"device": "simulated", "channels": 2, "rate": RATE_HZ, "ring": "30s"}
        rig = {"name": f"rig{number}", "listen": "udp://127.0.0.1:0", "data_root": str(folder)}
        files.append(folder / f"rig{number}.yaml")
        files[-1].write_text(json.dumps(rig | {"sources": {"amp": source}}))
    return files


async def record(
    folder: Path, addresses: dict[str, Address], delay_s: float, refs: Sequence[ExpRef]
) -> list[Windows]:
    """Record sessions through proxies that delay each datagram by up to `delay_s`."""
    weather = Weather(jitter_s=delay_s)
    found = []
    async with contextlib.AsyncExitStack() as stack:
        entries = {}
        for seed, (name, address) in enumerate(addresses.items()):
            proxy = ChaosProxy(address, Forecast(weather, seed))
            await stack.enter_async_context(proxy)
            entries[name] = RigEntry(name, proxy.address, dialect="rigctl")
        timeouts = Timeouts(echo_s=10 + 4 * delay_s, reply_s=20 + 8 * delay_s)
        lab = Lab("windows", folder / "lab.yaml", entries, timeouts, state_dir=folder / "state")
        async with Desk(lab) as desk:
            bounds = _Bounds(desk)
            for ref in refs:
                await desk.start(ref)
                await asyncio.sleep(RECORD_S)
                await desk.stop()
                await desk.cleanup()
                told = bounds.take(Event.EXPSTART), bounds.take(Event.EXPEND)
                found.append(read(folder, ref, addresses, told))
    return found


def read(
    folder: Path, ref: ExpRef, names: dict[str, Address], told: tuple[list[float], list[float]]
) -> Windows:
    """Return what the sessions on disk say."""
    windows = Windows([], [], [], *told)
    for name in names:
        path = folder / ref.folder / name
        window = Session.open(path).record.window
        assert window and window.stop_unix_s is not None
        windows.starts_s.append(window.start_unix_s)
        windows.stops_s.append(window.stop_unix_s)
        windows.samples.append((path / "amp" / "data.eeg").stat().st_size // (2 * 4))
    return windows


def measure(delay_s: float, sessions: int, rigs: int = RIGS) -> list[Windows]:
    """Record sessions and return their windows."""
    refs = [ExpRef.parse(f"2024-01-01_{number + 1}_subject") for number in range(sessions)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = rig_files(folder, rigs)
        with served(files) as addresses:
            named = {file.stem: address for file, address in zip(files, addresses, strict=True)}
            return asyncio.run(record(folder, named, delay_s, refs))


def run(quick: bool = False) -> list[Row]:
    """Return a row for a delay of up to two seconds."""
    found = measure(0.3 if quick else DELAY_S, 5)
    worst = max(w.worst for w in found)
    unequal = max(max(w.samples) - min(w.samples) for w in found)
    return [
        Row(
            f"windows of {RIGS} rigs, network delay up to {0.3 if quick else DELAY_S:g} s",
            f"{median([w.apart_s for w in found]) * 1e3:.2f} ms apart, {unequal} samples",
            f"{median([w.allowed_s for w in found]) * 1e3:.0f} ms (stated bounds)",
            f"{worst:.2f} at the worst",
            "<= 1",
        )
    ]
