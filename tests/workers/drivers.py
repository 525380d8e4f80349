# ruff: noqa: T201  (printing is what these are tested for)
"""Devices as labs may write them, for the tests: some behave badly.

They are known to `rigctl.devices` in worker processes by the fixture `drivers`.
"""

import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterable
from fractions import Fraction

import numpy as np
from msgspec import Struct

from rigctl.blocks import Block, Channel, Item, Lull, Notice, Run, StreamInfo


class _Driver:
    class Settings(Struct, frozen=True, forbid_unknown_fields=True):
        """There are none."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name

    async def __aiter__(self) -> AsyncGenerator[Item, None]:
        for item in self.items():
            yield item

    def items(self) -> Iterable[Item]:
        raise NotImplementedError


def _layout(channels: int) -> StreamInfo:
    names = tuple(Channel(f"c{number}") for number in range(channels))
    return StreamInfo("int16", (channels,), Fraction(1000), names)


def _block(number: int, channels: int) -> Block:
    return Block(np.full((10, channels), number, "<i2"), number, time.monotonic())


class Chatty(_Driver):
    """Prints to all that it can, also through another program, and asks for input."""

    def items(self) -> Iterable[Item]:
        print("warming up: 100 %")
        os.write(1, b"from C\n")
        subprocess.run([sys.executable, "-c", "print('from a program')"], check=True)
        print("not told: \udc80")
        print(f"read {sys.stdin.read()!r}")
        yield Run(_layout(2))
        for number in range(10):
            print('{"type":"ready"}')
            yield _block(number, 2)


class Changing(_Driver):
    """Changes its layout, pauses, and begins new runs."""

    def items(self) -> Iterable[Item]:
        yield Lull("waiting for the knob")
        yield Run(_layout(2))
        yield _block(1, 2)
        yield Run(_layout(2))
        yield _block(1, 2)
        yield Notice("state", "the knob was turned", {"angle": 30})
        yield Run(_layout(3))
        yield _block(2, 3)
        yield Lull("the cable is out", lost=True)


class Failing(_Driver):
    """Fails as only a program with a mistake does."""

    def items(self) -> Iterable[Item]:
        yield Run(_layout(2))
        yield _block(1, 2)
        raise ZeroDivisionError("of the driver")


class Leaving(_Driver):
    """Starts a program that goes on for ever."""

    def items(self) -> Iterable[Item]:
        command = [sys.executable, "-c", "import signal; signal.pause()"]
        helper = subprocess.Popen(command)
        yield Notice("helper", "started", {"pid": helper.pid})


class Stuck(_Driver):
    """Never comes back."""

    def items(self) -> Iterable[Item]:
        yield Notice("stuck", "from now on")
        while True:
            time.sleep(1)
