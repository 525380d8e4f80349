"""A session handed over: complete and proven or not there, from wherever it was interrupted."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigctl.errors import RecordingError, SessionNotFound
from rigctl.recording import copy_file, copying, layout
from rigctl.recording.checked import encode_document
from rigctl.recording.copy_file import PART
from rigctl.recording.copying import copy
from rigctl.recording.durable import read_document
from rigctl.recording.manifest import Manifest, seal
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.recording import making

PIECE = 1 << 16
PLACE = "subject/2024-01-01/001/eeg"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_file, "_CHUNK", PIECE)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = making.make_session(tmp_path / "data")
    making.record(session, making.signal("int16"), blocks=1)
    (session.path / layout.LOG).write_bytes(b"started\n")
    return session


@pytest.fixture
def sealed(session: Session) -> Session:
    seal(session)
    return session


@pytest.fixture
def large(session: Session) -> Session:
    """A sealed session with a file of several pieces."""
    (session.path / "amp/film.mkv").write_bytes(os.urandom(9 * PIECE))
    seal(session)
    return session


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


def is_whole(source: Path, there: Path) -> bool:
    """Whether the copy is all of the source, verifies, and nothing lies around."""
    return (
        making.tree(there / PLACE) == making.tree(source)
        and verify(there / PLACE, full=True).ok
        and [path.name for path in there.iterdir()] == ["subject"]
    )


def test_a_copy_is_the_session_and_verifies(sealed: Session, there: Path) -> None:
    steps: list[tuple[int, int]] = []
    before = making.tree(sealed.path)
    copied = copy(sealed.path, there, progress=lambda *step: steps.append(step))
    assert (copied.ok, copied.whole, copied.was_there, copied.sealed) == (True, True, False, True)
    assert copied.files == len([text for text in before.values() if text is not None])
    assert copied.bytes == sum(len(text) for text in before.values() if text is not None)
    assert copied.path == str(there / PLACE)
    assert is_whole(sealed.path, there)
    assert making.tree(sealed.path) == before
    assert steps[-1][0] == steps[-1][1]
    data = "amp/data.eeg"
    assert (there / PLACE / data).stat().st_mtime_ns == (sealed.path / data).stat().st_mtime_ns


def test_a_session_outside_a_data_root_comes_to_its_place(sealed: Session, there: Path) -> None:
    moved = sealed.path.rename(there.parent / "some-folder")
    assert copy(moved, there).ok
    assert is_whole(moved, there)


def test_a_copy_that_is_there_is_verified_and_left_alone(sealed: Session, there: Path) -> None:
    copy(sealed.path, there)
    before = making.tree(there)
    copied = copy(sealed.path, there)
    assert (copied.ok, copied.was_there, making.tree(there)) == (True, True, before)
    data = bytearray((there / PLACE / "amp/data.eeg").read_bytes())
    data[3] ^= 16
    (there / PLACE / "amp/data.eeg").write_bytes(data)
    copied = copy(sealed.path, there)
    assert not copied.ok
    assert copied.problems[0].startswith("amp/data.eeg: the copy that is there is damaged")
    (there / PLACE / "amp/data.eeg").unlink()
    assert "cannot be read" in copy(sealed.path, there).problems[0]


def test_another_recording_that_is_there_is_not_touched(sealed: Session, there: Path) -> None:
    making.make_session(there)
    before = making.tree(there)
    with pytest.raises(RecordingError, match="is there and is another recording"):
        copy(sealed.path, there)
    assert making.tree(there) == before


def test_a_log_that_has_grown_is_copied_and_brought_up_to_date(
    sealed: Session, there: Path
) -> None:
    log = sealed.path / layout.LOG
    for text in (b"started\nsealed\n", b"started\nsealed\nended\n"):
        log.write_bytes(text)
        assert copy(sealed.path, there).ok
        assert is_whole(sealed.path, there)
    log.write_bytes(b"stopped\nsealed\n")
    assert copy(sealed.path, there).problems == ["log.jsonl: was changed since it was sealed"]


def test_exports_are_left_out_and_what_was_not_sealed_is_told(sealed: Session, there: Path) -> None:
    (sealed.path / "derived").mkdir()
    (sealed.path / "derived/eeg.nwb").write_bytes(b"nwb")
    assert (copied := copy(sealed.path, there)).ok
    assert copied.derived == 1
    assert not (there / PLACE / "derived").exists()
    (sealed.path / "notes.txt").write_text("it was warm")
    copied = copy(sealed.path, there)
    assert (copied.ok, copied.whole) == (False, True)
    assert copied.problems == ["notes.txt: was not sealed, and is not copied"]


@pytest.mark.parametrize("step", [0, 3])
def test_a_copy_that_was_interrupted_goes_on(large: Session, there: Path, step: int) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(done: int, total: int) -> None:
        if done > 6 * PIECE:
            raise Interrupted

    with pytest.raises(Interrupted):
        copy(large.path, there, progress=interrupt)
    assert not (there / PLACE).exists()
    (part,) = there.rglob(f"*{PART}")
    assert part.stat().st_size == 6 * PIECE
    if step:  # what is there in part may be wrong: only what is the same is kept
        with part.open("r+b") as file:
            file.seek(step * PIECE)
            file.write(b"wrong")
    assert copy(large.path, there).ok
    assert is_whole(large.path, there)


def test_only_what_is_missing_is_written_again(
    large: Session, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise making.Crash

    with monkeypatch.context() as patch, pytest.raises(making.Crash):
        patch.setattr(copying, "_publish", crash)
        copy(large.path, there)
    written: list[bytes] = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: written.append(data) or write(fd, data))
    assert copy(large.path, there).ok
    assert sum(map(len, written)) == (large.path / layout.MANIFEST).stat().st_size
    assert is_whole(large.path, there)


def test_a_crash_at_any_step_leaves_nothing_half_and_goes_on(
    sealed: Session, tmp_path: Path
) -> None:
    for step in itertools.count():
        there = tmp_path / f"archive-{step}"
        there.mkdir()
        try:
            with making.crash_at(step):
                copy(sealed.path, there)
            break
        except making.Crash:
            # Whatever has the session's name is all of it.
            assert not (there / PLACE).exists() or verify(there / PLACE, full=True).ok
        assert copy(sealed.path, there).ok
        assert making.tree(there / PLACE) == making.tree(sealed.path)
    assert step > 40


COPIER = """
import itertools, os, signal, sys
from pathlib import Path
from rigctl.recording import copy_file
from rigctl.recording.copying import copy

copy_file._CHUNK = 1 << 16

def die_at(step):
    steps = itertools.count()
    def dying(call):
        def run(*args):
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args)
        return run
    for name in ("write", "fsync", "rename", "read"):
        setattr(os, name, dying(getattr(os, name)))

for step in map(int, sys.argv[3:]):
    if (pid := os.fork()) == 0:
        there = Path(sys.argv[2]) / str(step)
        there.mkdir()
        die_at(step)
        copy(Path(sys.argv[1]), there)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_copy_that_was_killed_anywhere_goes_on(large: Session, tmp_path: Path) -> None:
    steps = list(map(str, range(0, 60, 4)))
    (tmp_path / "killed").mkdir()
    command = [sys.executable, "-c", COPIER, large.path, tmp_path / "killed", *steps]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {str(-signal.SIGKILL)}
    for step in steps:
        there = tmp_path / "killed" / step
        assert not (there / PLACE).exists() or verify(there / PLACE, full=True).ok
        assert copy(large.path, there).ok
        assert is_whole(large.path, there)


def test_a_flipped_bit_anywhere_in_the_source_is_found_and_named(
    sealed: Session, there: Path
) -> None:
    names = [name for name, text in making.tree(sealed.path).items() if text is not None]
    for number, name in enumerate(names):
        # What was verified before a resumption is not read again: elsewhere each time.
        place = there / str(number)
        place.mkdir()
        data = (sealed.path / name).read_bytes()
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        (sealed.path / name).write_bytes(changed)
        if name == layout.MANIFEST:
            with pytest.raises(RecordingError, match=f"{name}: its checksum does not match"):
                copy(sealed.path, place)
        else:
            copied = copy(sealed.path, place)
            assert not (copied.ok or copied.whole)
            assert [problem.split(":")[0] for problem in copied.problems] == [name]
        assert not (place / PLACE).exists()
        (sealed.path / name).write_bytes(data)
        assert copy(sealed.path, place).ok
        assert is_whole(sealed.path, place)


def test_all_damage_of_a_source_is_told_at_once(sealed: Session, there: Path) -> None:
    (sealed.path / "amp/data.vhdr").unlink()
    (sealed.path / "amp/data.idx").write_bytes(b"short")
    problems = copy(sealed.path, there).problems
    assert [problem.split(":")[0] for problem in problems] == ["amp/data.vhdr", "amp/data.idx"]
    assert "is missing" in problems[0]
    assert "has 5 bytes" in problems[1]


def test_a_bit_that_the_destination_flips_is_found(
    sealed: Session, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def flipping(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if path.name == f"data.eeg{PART}":
            data = bytearray(path.read_bytes())
            data[7] ^= 2
            path.write_bytes(data)
        fsync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", flipping)
        copied = copy(sealed.path, there)
    assert len(copied.problems) == 1
    assert copied.problems[0].startswith("amp/data.eeg: its copy cannot be read back")
    assert not (there / PLACE).exists()
    assert copy(sealed.path, there).ok
    assert is_whole(sealed.path, there)


def test_a_file_that_changes_while_it_is_copied_is_told(large: Session, there: Path) -> None:
    film = large.path / "amp/film.mkv"

    def change(done: int, total: int) -> None:
        if 4 * PIECE < done < 9 * PIECE:
            with film.open("r+b") as file:
                file.seek(8 * PIECE)
                file.write(b"changed!")

    copied = copy(large.path, there, progress=change)
    assert copied.problems == ["amp/film.mkv: was changed while it was copied"]
    assert not (there / PLACE).exists()


@pytest.fixture
def small_disk(there: Path) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", there]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield there
    finally:
        subprocess.run(["umount", there], check=True)


def test_a_disk_that_is_too_small_is_told_before_anything_is_copied(
    large: Session, small_disk: Path
) -> None:
    (small_disk / "other").write_bytes(bytes(8 * PIECE))
    with pytest.raises(RecordingError, match=r"needs 0\.6 MB more, and 0\.5 MB are free"):
        copy(large.path, small_disk)
    assert [path.name for path in small_disk.rglob("*")] == ["other"]


def test_a_disk_that_fills_meanwhile_is_told_and_the_copy_goes_on(
    large: Session, small_disk: Path
) -> None:
    other = small_disk / "other"

    def fill(done: int, total: int) -> None:
        if done > 4 * PIECE and not other.exists():
            other.write_bytes(bytes(8 * PIECE))

    with pytest.raises(RecordingError, match="No space left on device .*say the same again"):
        copy(large.path, small_disk, progress=fill)
    assert not (small_disk / PLACE).exists()
    other.unlink()
    assert copy(large.path, small_disk).ok
    assert is_whole(large.path, small_disk)


def test_what_is_not_sealed_is_copied_only_when_that_is_said(session: Session, there: Path) -> None:
    with pytest.raises(RecordingError, match="is not sealed"):
        copy(session.path, there)
    assert list(there.iterdir()) == []
    (session.path / ".session.json.new").write_bytes(b"{")  # as a crash leaves it
    copied = copy(session.path, there, unsealed=True)
    assert (copied.ok, copied.sealed) == (True, False)
    assert making.tree(there / PLACE) == making.tree(session.path)
    assert copy(session.path, there, unsealed=True).was_there


def test_what_went_from_an_unsealed_session_meanwhile_goes_from_its_copy(
    session: Session, there: Path
) -> None:
    (session.path / ".session.json.new").write_bytes(b"{")
    with making.crash_at(20), pytest.raises(making.Crash):
        copy(session.path, there, unsealed=True)
    assert list(there.rglob(".session.json.new"))
    (session.path / ".session.json.new").unlink()
    assert copy(session.path, there, unsealed=True).ok
    assert making.tree(there / PLACE) == making.tree(session.path)


def test_a_place_inside_the_session_is_refused(sealed: Session, tmp_path: Path) -> None:
    for place in (sealed.path, sealed.path / "amp"):
        with pytest.raises(RecordingError, match="inside the session itself"):
            copy(sealed.path, place)
    with pytest.raises(RecordingError, match="is in .* itself: name another place"):
        copy(sealed.path, tmp_path / "data")
    assert verify(sealed.path, full=True).ok


def test_a_link_at_the_destination_leads_nowhere_else(sealed: Session, there: Path) -> None:
    for name in ("subject", ".rigctl-copying"):
        (there / name).symlink_to(there.parent, target_is_directory=True)
        with pytest.raises(RecordingError, match="leads outside"):
            copy(sealed.path, there)
        (there / name).unlink()


def forge(session: Path, name: str) -> None:
    """Have the manifest list a further file, with its right checksum."""
    manifest = read_document(session / layout.MANIFEST, Manifest)
    manifest.files[name] = manifest.files["events.jsonl"]
    (session / layout.MANIFEST).write_bytes(encode_document(manifest))


@pytest.mark.parametrize(
    "name",
    ["../x", "amp/../../x", "/etc/passwd", "", "amp//x", "./x", "manifest.json", "a\0b", "amp/.."],
)
def test_a_manifest_that_names_what_no_session_has_is_refused(
    sealed: Session, there: Path, name: str
) -> None:
    forge(sealed.path, name)
    with pytest.raises(RecordingError, match="it names"):
        copy(sealed.path, there)
    assert list(there.iterdir()) == []


def test_links_and_pipes_are_not_read(sealed: Session, there: Path) -> None:
    (sealed.path / "amp/data.eeg").rename(there.parent / "data.eeg")
    (sealed.path / "amp/data.eeg").symlink_to(there.parent / "data.eeg")
    (sealed.path / "events.jsonl").unlink()
    os.mkfifo(sealed.path / "events.jsonl")
    (sealed.path / "away").symlink_to(there.parent, target_is_directory=True)
    copied = copy(sealed.path, there)
    assert copied.problems == [
        "amp/data.eeg: is, or lies behind, a symbolic link, which is not followed",
        "events.jsonl: is not a file",
        "away: was not sealed, and is not copied",
    ]
    (sealed.path / "amp").rename(there.parent / "amp")
    (sealed.path / "amp").symlink_to(there.parent / "amp")
    assert "amp/stream.json: is, or lies behind" in "\n".join(copy(sealed.path, there).problems)


def test_two_copies_of_one_session_do_not_meet(sealed: Session, there: Path) -> None:
    met: list[str] = []

    def again(done: int, total: int) -> None:
        if done > 1000 and not met:
            with pytest.raises(RecordingError, match="is being written by another copy") as error:
                copy(sealed.path, there)
            met.append(str(error.value))

    assert copy(sealed.path, there, progress=again).ok
    assert met
    assert is_whole(sealed.path, there)


def test_a_folder_without_a_session_is_an_error(there: Path) -> None:
    with pytest.raises(SessionNotFound):
        copy(there, there)
