"""Whether a rig's daemon, or a worker that it left behind, may still write."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from rigctl.config import load_rig
from rigctl.daemon.place import Place
from rigctl.errors import RecordingError
from rigctl.recording.copying import copy
from rigctl.recording.holder import is_held
from tests.recording import making


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """What the daemon of the rig `eeg` holds."""
    file = tmp_path / "eeg.yaml"
    file.write_text("name: eeg\nlisten: udp://127.0.0.1:0\ndata_root: data\n")
    return Place.take(load_rig(file))


async def test_a_session_is_held_as_long_as_its_daemon_or_a_worker_lives(
    place: Place, tmp_path: Path
) -> None:
    session, other = (making.make_session(tmp_path / "data", rig) for rig in ("eeg", "camera"))
    assert not is_held(session.path)  # a daemon before it may be writing still, or none is
    await place.wait_for_workers()
    assert is_held(session.path)
    assert not is_held(other.path)
    (tmp_path / "archive").mkdir()
    for unsealed in (False, True):
        with pytest.raises(RecordingError, match="its rig's daemon runs"):
            copy(session.path, tmp_path / "archive", unsealed=unsealed)
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "input()"), stdin=subprocess.PIPE, pass_fds=[place.workers.fileno()]
    )
    place.close()
    assert is_held(session.path)
    await worker.communicate(b"\n")
    assert not is_held(session.path)
    assert copy(session.path, tmp_path / "archive", unsealed=True).ok


def test_a_folder_that_is_in_no_data_root_is_nobodys(tmp_path: Path) -> None:
    assert not is_held(Path("/eeg"))
    assert not is_held(tmp_path)
