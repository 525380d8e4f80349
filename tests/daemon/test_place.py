"""One daemon at a time has a rig's state, and the workers of one that was killed come first."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigctl.config import Rig, load_rig
from rigctl.daemon import place as places
from rigctl.daemon.lock import Lock
from rigctl.daemon.place import Place, state_folder
from rigctl.errors import ConfigError, JournalError


def rig(folder: Path, more: str = "") -> Rig:
    path = folder / "rig.yaml"
    path.write_text(f"name: eeg\n{more}")
    return load_rig(path)


@pytest.fixture(autouse=True)
def not_under_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


HOLDER = """
import subprocess, sys, time
from pathlib import Path
from rigctl.config import load_rig
from rigctl.daemon.place import Place
place = Place.take(load_rig(Path(sys.argv[1])))
place.workers.take_now()
worker = [sys.executable, "-c", "import sys; sys.stdin.read()"]
subprocess.Popen(worker, stdin=0, stdout=subprocess.DEVNULL, pass_fds=[place.workers.fileno()])
print("held", flush=True)
time.sleep(1e6)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A daemon with one worker, which ends when the pipe to both is closed."""
    rig(tmp_path)
    command = [sys.executable, "-c", HOLDER, tmp_path / "rig.yaml"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_the_rig_file_says_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/rigctl")
    assert state_folder(rig(tmp_path, "state_dir: state")) == tmp_path / "state"


def test_else_systemd_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/rigctl/eeg:/var/lib/other")
    assert state_folder(rig(tmp_path)) == Path("/var/lib/rigctl/eeg")


def test_else_it_lies_below_the_data_root(tmp_path: Path) -> None:
    assert state_folder(rig(tmp_path)) == tmp_path / "data/.rigctl"


def test_a_folder_that_cannot_be_made_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigError, match=r"rig.yaml: state_dir: .*data/.rigctl cannot be made"):
        Place.take(rig(tmp_path))


def test_without_a_data_root_there_is_nothing_to_guard(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with Place.take(rig(tmp_path, "state_dir: state")) as place:
        assert place.workers.path == tmp_path / "state/eeg.workers"


@pytest.mark.parametrize("file", ["eeg.lock", "eeg.workers", "eeg.db"])
def test_a_file_that_cannot_be_opened_is_named_and_nothing_stays_held(
    tmp_path: Path, file: str
) -> None:
    in_the_way = tmp_path / "data/.rigctl" / file
    in_the_way.mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"state_dir: .*{file} cannot be opened"):
        Place.take(rig(tmp_path))
    in_the_way.rmdir()
    Place.take(rig(tmp_path)).close()


def test_another_daemon_that_lives_is_named_at_once(
    tmp_path: Path, holder: "subprocess.Popen[bytes]"
) -> None:
    with pytest.raises(ConfigError, match=rf"rig eeg runs already \(process {holder.pid}, "):
        Place.take(rig(tmp_path))


def test_one_with_another_folder_of_state_is_refused_by_the_same_data(
    tmp_path: Path, holder: "subprocess.Popen[bytes]"
) -> None:
    with pytest.raises(ConfigError, match=rf"runs already \(process {holder.pid}, "):
        Place.take(rig(tmp_path, "state_dir: state"))


async def test_workers_are_waited_for_with_another_folder_of_state(
    tmp_path: Path, holder: "subprocess.Popen[bytes]"
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Place.take(rig(tmp_path, "state_dir: state")) as place:
        assert not place.workers.take_now()
        assert holder.stdin
        holder.stdin.close()
        await place.wait_for_workers()


FORKING = """
import multiprocessing, sys, time
from pathlib import Path
from rigctl.config import load_rig
from rigctl.daemon.place import Place
place = Place.take(load_rig(Path(sys.argv[1])))
place.workers.take_now()
def live_on():  # only here it is sure that the process has begun its own life
    print("held", flush=True)
    time.sleep(1e6)
multiprocessing.get_context("fork").Process(target=live_on).start()
time.sleep(1e6)
"""


def test_what_a_lab_forks_holds_no_lock(tmp_path: Path) -> None:
    rig(tmp_path)
    command = [sys.executable, "-c", FORKING, tmp_path / "rig.yaml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    process.kill()
    process.wait()
    try:
        with Place.take(rig(tmp_path)) as place:
            assert place.workers.take_now()
    finally:
        process.stdout.close()
        os.killpg(process.pid, signal.SIGKILL)


def test_a_lock_that_outlives_its_daemon_is_told_as_such(tmp_path: Path) -> None:
    with Place.take(rig(tmp_path)):
        (tmp_path / "data/.rigctl/eeg.lock").write_text("2147483646\n")
        with pytest.raises(ConfigError, match="has ended .*a process that it started holds"):
            Place.take(rig(tmp_path))


async def test_workers_of_a_daemon_that_was_killed_are_waited_for(
    tmp_path: Path, holder: "subprocess.Popen[bytes]"
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Place.take(rig(tmp_path)) as place:
        waiting = asyncio.create_task(place.wait_for_workers())
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done, "its worker still lives"
        assert holder.stdin
        holder.stdin.close()
        await waiting
        assert not Lock(place.workers.path).take_now(), "it is held from now on"


async def test_workers_that_do_not_end_are_told(
    tmp_path: Path, holder: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "WORKERS_END_S", 0.05)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with Place.take(rig(tmp_path)) as place:
        with pytest.raises(JournalError, match=r"may still write.*fuser .*eeg\.workers"):
            await place.wait_for_workers()
    assert holder.stdin
    holder.stdin.close()
    with Place.take(rig(tmp_path)) as place:
        monkeypatch.undo()
        await place.wait_for_workers()


async def test_what_is_closed_is_free_again(tmp_path: Path) -> None:
    for _ in range(2):
        with Place.take(rig(tmp_path)) as place:
            await place.wait_for_workers()
