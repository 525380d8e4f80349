"""What tests of controllers share."""

import subprocess
from collections.abc import Iterator

import pytest


@pytest.fixture
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that may pass for another controller."""
    with subprocess.Popen(["sleep", "60"]) as other:
        yield other
        other.kill()
