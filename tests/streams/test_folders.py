import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rigctl.errors import RingError
from rigctl.streams import RingReader, RingWriter, folders, sweep
from tests.streams.making import abandon, info

FINISHED = "4194305-1"  # a process id beyond the largest of Linux


def ring(name: str) -> RingWriter:
    return RingWriter.create(name, info(), 10)


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "a~b", "é", "x" * 101, "a\n"])
def test_what_is_no_name_is_refused(base, name):
    for use in (ring, RingReader.attach):
        with pytest.raises(RingError, match="no name"):
            use(name)
    assert not list(base.iterdir())


def test_rings_are_private(base):
    with ring("amp"):
        (folder,) = base.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert all(file.stat().st_mode & 0o077 == 0 for file in folder.glob("[!w]*"))


def test_ring_in_use_is_refused_and_left_alone(base):
    with ring("amp") as writer:
        with pytest.raises(RingError, match=rf"in use by process {os.getpid()}"):
            ring("amp")
        assert [path.name for path in base.iterdir()] == [writer._folder.name]


def test_ring_whose_writer_is_gone_is_replaced(base):
    old = ring("amp")
    abandon(old._folder)
    with ring("amp") as new, RingReader.attach("amp") as reader:
        new.begin_run()
        assert reader.run == 1
        assert reader.writer_alive


def test_of_many_that_replace_a_ring_one_succeeds(base):
    abandon(ring("amp")._folder)

    def attempt(_: int) -> RingWriter | None:
        try:
            return ring("amp")
        except RingError:
            return None

    with ThreadPoolExecutor(8) as pool:
        writers = [writer for writer in pool.map(attempt, range(8)) if writer]
    assert len(writers) == 1
    writers[0].unlink()
    assert not list(base.iterdir())


def test_sweep_removes_abandoned_rings_only(base):
    gone = ring("gone")
    abandon(gone._folder)
    with ring("live"):
        assert sweep() == ["gone"]
        assert sweep() == []
        assert len(list(base.iterdir())) == 1


def test_sweep_removes_rings_that_were_half_made(base):
    half = base / f"rigctl-{os.getuid()}-amp~{FINISHED}-0a"
    half.mkdir()
    mine = folders.stage("amp")
    assert sweep() == []
    assert list(base.iterdir()) == [mine]


@pytest.mark.parametrize("broken", ["", "readers"], ids=["empty", "truncated"])
def test_sweep_removes_what_no_process_could_have_finished(base, broken):
    folder = base / f"rigctl-{os.getuid()}-amp"
    folder.mkdir()
    if broken:
        (folder / broken).touch()
    assert sweep() == ["amp"]


def test_sweep_leaves_other_folders_alone(base):
    for name in ("other", f"rigctl-{os.getuid() + 1}-amp"):
        (base / name).mkdir()
    (base / f"rigctl-{os.getuid()}-file").touch()
    assert sweep() == []
    assert len(list(base.iterdir())) == 3


def test_what_is_no_folder_of_this_user_is_refused(base):
    (base / f"rigctl-{os.getuid()}-amp").symlink_to(base)
    with pytest.raises(RingError, match="not a ring of this user"):
        RingReader.attach("amp")
    with pytest.raises(RingError):
        ring("amp")


def test_missing_ring_is_told(base):
    with pytest.raises(RingError, match="no ring 'amp'"):
        RingReader.attach("amp")


def test_folder_that_is_no_ring_is_told(base):
    folder = base / f"rigctl-{os.getuid()}-amp"
    folder.mkdir()
    with pytest.raises(RingError, match="cannot|no ring"):
        RingReader.attach("amp")
    (folder / "head").write_bytes(bytes(5000))
    with pytest.raises(RingError, match="version"):
        RingReader.attach("amp")


def test_removing_twice_is_once(base):
    writer = ring("amp")
    writer.unlink()
    writer.unlink()
    assert not list(base.iterdir())


def test_ring_survives_the_exit_of_its_readers(name):
    with ring(name) as writer:
        code = f"from rigctl.streams import RingReader; print(RingReader.attach({name!r}).capacity)"
        for _ in range(2):
            shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
            assert int(shown.stdout) == writer.capacity
            assert not shown.stderr
        assert writer._folder.exists()


def test_rings_lie_in_memory_or_in_the_temporary_folder(monkeypatch, tmp_path):
    assert folders.base_folder().is_dir()
    monkeypatch.delenv("RIGCTL_RINGS")
    assert folders.base_folder().is_dir()
    monkeypatch.setattr(Path, "is_dir", lambda path: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert folders.base_folder() == tmp_path
