"""What every test is held to: no task, process or shared-memory segment outlives it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture
def recording_vhdr() -> Path:
    """A real recording: 32 channels, 1 kHz, int16, with markers."""
    return DATA / "test.vhdr"


@pytest.fixture(autouse=True)
async def no_task_outlives_the_test(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)  # lets tasks that were cancelled at the very end take note of it
    left = [t for t in asyncio.all_tasks() - before if t is not asyncio.current_task()]
    assert not left, f"tasks left running: {left}"


def _segments() -> set[str]:
    root = Path("/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir())
    return {path.name for path in root.glob("rigctl-*")}


@pytest.fixture(autouse=True)
def no_segment_outlives_the_test() -> Iterator[None]:
    before = _segments()
    yield
    assert _segments() <= before
