"""What every test is held to: no task, process or shared-memory segment outlives it."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rigctl.streams import folders

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True, scope="session")
def rings_of_our_own() -> Iterator[None]:
    """Suites that run beside each other do not see each other's shared memory."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="rigctl-tests-", dir=place) as folder:
        os.environ["RIGCTL_RINGS"] = folder
        yield
        del os.environ["RIGCTL_RINGS"]


@pytest.fixture(autouse=True, scope="session")
def journals_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes into the user's folder of state."""
    os.environ["RIGCTL_STATE"] = str(tmp_path_factory.mktemp("state"))
    yield
    del os.environ["RIGCTL_STATE"]


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


@pytest.fixture(autouse=True)
def no_segment_outlives_the_test() -> Iterator[None]:
    yield
    left = [folder.name for folder in folders.base_folder().glob("rigctl-*") if _is_left(folder)]
    assert not left, f"shared memory left behind: {left}"


def _is_left(folder: Path) -> bool:
    """Whether a ring is nobody's or ours; a suite that runs beside us has living writers."""
    writer = folders.writer_of(folder)
    return writer is not None and (writer.pid == os.getpid() or not writer.is_alive())
