"""What tests of controllers share."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest


@dataclass
class AnotherProcess:
    """A process that may pass for another controller."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def another_process() -> Iterator[AnotherProcess]:
    other = AnotherProcess(subprocess.Popen(["sleep", "60"]))
    yield other
    other.end()
