"""Any recording: whatever was done to it, what was written is read, and damage is reported."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigctl.blocks import Marker, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.recording import index, layout
from rigctl.recording.events import EventLog
from rigctl.recording.manifest import seal
from rigctl.recording.reader import open_stream
from rigctl.recording.recover import recover
from rigctl.recording.session import Session
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import verify
from tests.recording import making
from tests.recording.making import WHEN, frames

INFOS = [making.signal("int16"), making.signal("float32", channels=1), making.images()]

STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "append", "append", "fill", "lose"]), st.integers(1, 6))
    | st.tuples(st.sampled_from(["mark", "mark back"]), st.integers(0, 9))
    | st.tuples(st.just("cut"), st.integers(0, 14))
    | st.tuples(st.sampled_from(["sync", "segment", "reopen"]), st.just(0)),
    max_size=14,
)
LIMITS = st.none() | st.integers(1, 12)


@pytest.fixture(autouse=True, scope="module")
def fast() -> Iterator[None]:
    """Many sessions are written; what is synced, other tests see to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        patch.setattr("os.fdatasync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


@dataclass
class Written:
    """A recording, and what it must hold."""

    session: Session
    info: StreamInfo
    roll: Roll | None
    samples: np.ndarray = field(init=False)
    marks: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.samples = np.empty((0, *self.info.shape), self.info.numpy_dtype)
        self.events = EventLog(self.session.path / layout.EVENTS, "recorder")
        folder = self.session.path / "amp"
        self.writer = StreamWriter.create(
            folder, self.info, name="amp", events=self.events, roll=self.roll
        )

    def take(self, number: int, step: str, count: int) -> None:
        """Do one step, to the recording and to what it must hold."""
        writer = self.writer
        match step:
            case "append":
                block = frames(self.info, count, number)
                writer.append(block, counter=number, arrival_s=number)
                self.samples = np.concatenate([self.samples, block])
            case "fill":
                writer.fill(count, counter=number, arrival_s=number)
                value = np.nan if self.info.dtype == "float32" else 0
                block = np.full((count, *self.info.shape), value, self.info.numpy_dtype)
                self.samples = np.concatenate([self.samples, block])
            case "lose":
                writer.new_segment(WHEN, missing=count)
            case "segment":
                writer.new_segment(WHEN)
            case "mark" | "mark back":
                ahead = count if step == "mark" else -count
                position = max(writer.samples + ahead, 0)
                writer.mark(Marker(position, "Stimulus", "S  1"))
                self.marks.append(position)
            case "cut" if count <= writer.samples:
                end = writer.samples - count
                writer.end_at(end)
                self.samples = self.samples[:end]
                self.marks = [position for position in self.marks if position < end]
            case "sync":
                assert writer.sync() == len(self.samples)
            case "reopen":
                writer.close()
                self.writer = StreamWriter.reopen(writer.folder, self.events, self.roll)
                self.marks = [at for at in self.marks if at <= len(self.samples)]

    def close(self) -> None:
        self.writer.close()
        self.events.close()

    def check_read(self, path: Path) -> None:
        """Check that a reader of a session finds all of it."""
        read = open_stream(path / "amp")
        np.testing.assert_array_equal(read.samples, self.samples)
        assert len(read.samples) == index.sample_count(read.index)
        for first, count in zip(read.index["first"], read.index["count"], strict=True):
            window = slice(int(first), int(first) + int(count))
            np.testing.assert_array_equal(read.samples[window], self.samples[window])


def write(root: Path, steps: list[tuple[str, int]], limit: int | None, info: StreamInfo) -> Written:
    """Take the steps; the files are left open."""
    shutil.rmtree(root / "subject", ignore_errors=True)
    roll = limit and Roll(limit * info.frame_bytes, 3600)
    written = Written(making.make_session(root), info, roll or None)
    for number, (step, count) in enumerate(steps):
        written.take(number, step, count)
    return written


def problems_of(path: Path, samples: int) -> list[str]:
    """Return what else is wrong than that nothing was recorded, where nothing was."""
    empty = "amp/: no samples were recorded"
    found = verify(path, full=True).problems
    return found if samples else [problem for problem in found if problem != empty]


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, limit=LIMITS, info=st.sampled_from(INFOS))
def test_what_was_written_is_read_while_it_goes_on_and_once_it_is_sealed(
    root: Path, steps: list[tuple[str, int]], limit: int | None, info: StreamInfo
) -> None:
    written = write(root, steps, limit, info)
    path = written.session.path
    written.check_read(path)
    assert problems_of(path, len(written.samples)) == []
    written.close()
    written.check_read(path)
    if limit:
        sizes = layout.data_sizes(path / "amp").values()
        assert max(sizes) <= max(limit, 6) * info.frame_bytes
    seal(written.session, written.writer.digests)
    written.check_read(path)
    assert problems_of(path, len(written.samples)) == []
    stimuli = [m.position for m in open_stream(path / "amp").markers if m.type == "Stimulus"]
    there = [at for at in written.marks if not info.is_signal or at <= len(written.samples)]
    assert stimuli == sorted(there)


def torn_copy(path: Path, copy: Path, part: int, data: int, record_bytes: int) -> None:
    """Copy a stream as a kill or a power cut leaves it: later parts empty, two files cut off."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    for number, paths in layout.part_files(copy / "amp").items():
        if number == part:
            with paths[0].open("ab") as file:
                file.truncate(data)
        elif number > part:
            paths[0].write_bytes(b"")
    with (copy / "amp/data.idx").open("ab") as file:
        file.truncate(record_bytes)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, limit=st.integers(1, 12), info=st.sampled_from(INFOS), data=st.data())
def test_a_kill_at_any_byte_costs_what_was_not_whole_and_nothing_before(
    root: Path,
    steps: list[tuple[str, int]],
    limit: int,
    info: StreamInfo,
    data: st.DataObject,
) -> None:
    written = write(root, [*steps, ("append", 3)], limit, info)
    path, torn = written.session.path, root / "torn"
    sizes = {layout.part_number(n) or 1: s for n, s in layout.data_sizes(path / "amp").items()}
    part = data.draw(st.sampled_from(sorted(sizes)), "part")
    cut = data.draw(st.integers(0, sizes[part]), "bytes of it")
    records = open_stream(path / "amp").index
    whole = data.draw(st.integers(0, len(records) * index.RECORD_BYTES), "bytes of the index")
    torn_copy(path, torn, part, cut, whole)
    written.close()
    ends = records["offset"] + records["count"] * np.uint64(info.frame_bytes)
    there = (records["part"] < part) | ((records["part"] == part) & (ends <= cut))
    kept = int(np.count_nonzero(there[: whole // index.RECORD_BYTES]))
    samples = index.sample_count(records[:kept])

    assert recover(torn).streams["amp"].samples == samples
    assert problems_of(torn, samples) == []
    np.testing.assert_array_equal(open_stream(torn / "amp").samples, written.samples[:samples])
    with EventLog(torn / layout.EVENTS, "recorder") as events:
        with StreamWriter.reopen(torn / "amp", events, written.roll) as writer:
            for number in range(3):
                writer.append(frames(info, 4, number), counter=number, arrival_s=number)
    seal(Session.open(torn), writer.digests)
    assert problems_of(torn, 1) == []
    blocks = [written.samples[:samples], *(frames(info, 4, number) for number in range(3))]
    np.testing.assert_array_equal(open_stream(torn / "amp").samples, np.concatenate(blocks))


@pytest.fixture(scope="module", params=[INFOS[0], INFOS[2]], ids=["signal", "images"])
def sealed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed recording of several parts, with a little of everything; it must stay as it is."""
    steps = [("segment", 0), ("append", 6), ("mark", 0), ("append", 2), ("fill", 3), ("append", 5)]
    root = tmp_path_factory.mktemp("sealed")
    written = write(root, [*steps, ("lose", 4), ("append", 6)], 8, request.param)
    written.close()
    seal(written.session, written.writer.digests)
    assert verify(written.session.path, full=True).ok
    assert len(layout.data_sizes(written.session.path / "amp")) == 3
    return written.session.path


def files_of(path: Path) -> list[Path]:
    return sorted(path for path in path.rglob("*") if path.is_file())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_reported(sealed: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(files_of(sealed)))
    whole = path.read_bytes()
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    report = verify(sealed)
    path.write_bytes(whole)
    assert not report.ok
    if layout.is_data_file(path.name) or path.name == layout.INDEX:
        assert report.streams["amp"].bad_chunks >= 1


@settings(max_examples=60, deadline=None)
@given(data=st.data(), is_sealed=st.booleans())
def test_any_truncation_is_reported(sealed: Path, data: st.DataObject, is_sealed: bool) -> None:
    """Of an open recording, which has no manifest: samples and index vouch for each other."""
    names = [path for path in files_of(sealed) if is_sealed or path.suffix in (".eeg", ".bin")]
    path = data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    manifest = (sealed / layout.MANIFEST).read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    if not is_sealed:
        (sealed / layout.MANIFEST).unlink()
    report = verify(sealed)
    path.write_bytes(whole)
    (sealed / layout.MANIFEST).write_bytes(manifest)
    relative = path.relative_to(sealed).as_posix()
    assert any(problem.startswith(relative) for problem in report.problems)
