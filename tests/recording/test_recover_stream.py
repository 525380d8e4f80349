"""Torn streams: cut, lengthened or flipped anywhere, all is kept up to the last good block."""

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigctl.blocks import StreamInfo
from rigctl.config.keeping import Roll
from rigctl.errors import RecordingError
from rigctl.recording import index, layout
from rigctl.recording.durable import read_document
from rigctl.recording.manifest import seal
from rigctl.recording.reader import open_stream
from rigctl.recording.recover import StreamRecovery, recover
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.recording import making

ENDS = (0, 4, 8, 10, 14)
"""Where the blocks of the sessions below end, in samples."""
INFOS = {"signal": making.signal("float32"), "other": StreamInfo("float64", (1,), Fraction(100, 3))}
"""Floats: what stands in for lost samples is no zeros, as torn ends are."""


@pytest.fixture(scope="module", params=["signal"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that nobody may change, with two samples that stand in for lost ones."""
    session = making.make_session(tmp_path_factory.mktemp("whole"))
    making.record(session, INFOS[request.param], blocks=2)
    return session.path


every_kind = pytest.mark.parametrize("whole", list(INFOS), indirect=True)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many sessions are put in order; what is synced, other tests see to."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def torn(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the session, to be torn."""
    path = tmp_path / "torn"
    shutil.copytree(whole, path)
    yield path
    shutil.rmtree(path)


def data_of(path: Path) -> Path:
    return path / "amp" / layout.read_stream_header(path / "amp").data


def info_of(path: Path) -> StreamInfo:
    return layout.read_stream_header(path / "amp").info


def tear(torn: Path, whole: Path, data: bytes, records: bytes) -> None:
    """Put the session back as it was, but for samples and index."""
    shutil.rmtree(torn)
    shutil.copytree(whole, torn)
    data_of(torn).write_bytes(data)
    (torn / "amp/data.idx").write_bytes(records)


def beside(path: Path, name: str) -> bytes:
    target = path / "amp" / name
    return target.read_bytes() if target.exists() else b""


def check(torn: Path, whole: Path, samples: int) -> None:
    """Recover a torn session: so many samples stay, bit by bit, and the rest lies beside."""
    data, records = data_of(torn).read_bytes(), (torn / "amp/data.idx").read_bytes()
    size = samples * info_of(whole).frame_bytes
    recovery = recover(torn)
    aside = len(data) - size + len(records) - ENDS.index(samples) * index.RECORD_BYTES
    aside += len(beside(torn, "data.vmrk.torn"))
    assert recovery.streams == {"amp": StreamRecovery(samples, aside)}
    assert recovery.changed
    assert data_of(torn).read_bytes() == data_of(whole).read_bytes()[:size]
    assert data_of(torn).read_bytes() + beside(torn, "data.torn") == data
    assert (torn / "amp/data.idx").read_bytes() + beside(torn, "data.idx.torn") == records
    seal(Session.open(torn))
    report = verify(torn, full=True)
    expected = [] if samples else ["amp/: no samples were recorded"]
    assert (report.problems, report.sealed, report.state) == (expected, True, "RECOVERED")
    assert report.streams["amp"].samples == samples == len(open_stream(torn / "amp").samples)


def whole_blocks(samples: int) -> int:
    return max(end for end in ENDS if end <= samples)


@pytest.mark.usefixtures("fast")
def test_every_truncation_of_the_samples(whole: Path, torn: Path) -> None:
    """The index is ahead of the samples."""
    data, records = data_of(whole).read_bytes(), (whole / "amp/data.idx").read_bytes()
    for size in range(len(data)):
        tear(torn, whole, data[:size], records)
        check(torn, whole, whole_blocks(size // info_of(whole).frame_bytes))


@pytest.mark.usefixtures("fast")
def test_every_truncation_of_the_index(whole: Path, torn: Path) -> None:
    """The samples are ahead of the index."""
    data, records = data_of(whole).read_bytes(), (whole / "amp/data.idx").read_bytes()
    for size in range(0, len(records)):
        tear(torn, whole, data, records[:size])
        check(torn, whole, ENDS[size // index.RECORD_BYTES])


@pytest.mark.usefixtures("fast")
def test_every_bit_of_the_last_block_and_its_record(whole: Path, torn: Path) -> None:
    data, records = data_of(whole).read_bytes(), (whole / "amp/data.idx").read_bytes()
    for position in range(ENDS[-2] * info_of(whole).frame_bytes, len(data)):
        tear(torn, whole, flipped(data, position), records)
        check(torn, whole, ENDS[-2])
    for position in range(len(records) - index.RECORD_BYTES, len(records)):
        tear(torn, whole, data, flipped(records, position))
        check(torn, whole, ENDS[-2])


TAILS = st.one_of(
    st.just(b""),
    st.integers(1, 300).map(bytes),
    st.binary(min_size=1, max_size=300),
)


@every_kind
@pytest.mark.usefixtures("fast")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 400), lost=st.integers(0, 300), tails=st.tuples(TAILS, TAILS))
def test_any_cut_with_any_tail_of_zeros_or_garbage(
    whole: Path, torn: Path, cut: int, lost: int, tails: tuple[bytes, bytes]
) -> None:
    data, records = data_of(whole).read_bytes(), (whole / "amp/data.idx").read_bytes()
    data, records = data[: max(0, len(data) - cut)], records[: max(0, len(records) - lost)]
    tear(torn, whole, data + tails[0], records + tails[1])
    # A tail may happen to be what was cut off: what is good is said by what there is then.
    kept, frame_bytes = ENDS[common(torn, whole, "data.idx") // 64], info_of(whole).frame_bytes
    there = common(torn, whole, data_of(whole).name) // frame_bytes
    check(torn, whole, whole_blocks(min(kept, there)))


def common(one: Path, other: Path, name: str) -> int:
    """Return how many bytes two files have in common."""
    pairs = zip(
        (one / "amp" / name).read_bytes(), (other / "amp" / name).read_bytes(), strict=False
    )
    same = 0
    for a, b in pairs:
        if a != b:
            break
        same += 1
    return same


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << position % 8
    return bytes(changed)


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("name", ["data", "index"])
def test_damage_with_good_blocks_behind_it_stays_and_is_reported(
    whole: Path, torn: Path, name: str
) -> None:
    data, records = data_of(whole).read_bytes(), (whole / "amp/data.idx").read_bytes()
    before = ENDS[-2] * info_of(whole).frame_bytes, 2 * index.RECORD_BYTES
    for position in range(before[name == "index"]):
        tear(
            torn,
            whole,
            flipped(data, position) if name == "data" else data,
            flipped(records, position) if name == "index" else records,
        )
        damaged = making.tree(torn / "amp")
        assert recover(torn).streams == {"amp": StreamRecovery(14, 0)}
        assert making.tree(torn / "amp") == damaged
        seal(Session.open(torn))
        report = verify(torn)
        assert not report.ok
        assert report.streams["amp"].bad_chunks >= 1


@pytest.mark.usefixtures("fast")
def test_only_the_end_of_a_damaged_recording_is_torn(whole: Path, torn: Path) -> None:
    data, records = data_of(whole).read_bytes(), (whole / "amp/data.idx").read_bytes()
    tear(torn, whole, flipped(data, 0) + b"torn", records + b"x")
    assert recover(torn).streams == {"amp": StreamRecovery(14, 5)}
    assert (beside(torn, "data.torn"), beside(torn, "data.idx.torn")) == (b"torn", b"x")
    assert data_of(torn).read_bytes() == flipped(data, 0)


def rolled(path: Path) -> dict[int, bytes]:
    """Make the stream anew, of three parts with two blocks of two samples each; return them."""
    info = info_of(path)
    shutil.rmtree(path / "amp")
    roll = Roll(4 * info.frame_bytes, 3600)
    with making.StreamWriter.create(path / "amp", info, name="amp", roll=roll) as writer:
        for number in range(6):
            writer.append(making.frames(info, 2, number), counter=number, arrival_s=number)
    blocks = [making.frames(info, 2, number).tobytes() for number in range(6)]
    return {1: b"".join(blocks[:2]), 2: b"".join(blocks[2:4]), 3: b"".join(blocks[4:])}


@every_kind
@pytest.mark.parametrize("lost", range(1, 6))
def test_a_recording_of_several_parts_is_torn_in_the_right_one(torn: Path, lost: int) -> None:
    data = rolled(torn)
    path = torn / "amp/data.idx"
    path.write_bytes(path.read_bytes()[: -lost * index.RECORD_BYTES])
    recovery = recover(torn)
    assert recovery.streams["amp"].samples == 12 - 2 * lost
    first = data_of(torn)
    parts = [torn / "amp" / layout.part_name(first.name, part) for part in data]
    kept = [part.read_bytes() if part.exists() else b"" for part in parts]
    left = [part for part, samples in zip(data, kept, strict=True) if samples]
    assert sorted(layout.part_files(torn / "amp")) == (left or [1])
    ends = [beside(torn, f"{part.stem}.torn") for part in parts]
    assert [a + b for a, b in zip(kept, ends, strict=True)] == list(data.values())
    assert sum(map(len, kept)) == (12 - 2 * lost) * info_of(torn).frame_bytes
    assert verify(torn).problems == []


def test_a_damaged_end_of_an_earlier_part_stays(torn: Path) -> None:
    data = rolled(torn)
    data_of(torn).write_bytes(flipped(data[1], len(data[1]) - 1))
    assert recover(torn).streams == {"amp": StreamRecovery(12, 0)}
    assert data_of(torn).read_bytes() == flipped(data[1], len(data[1]) - 1)


@every_kind
@pytest.mark.parametrize("name", ["data.idx", "data", "stream.json"])
def test_a_file_that_is_missing_is_no_tear_and_nothing_is_touched(torn: Path, name: str) -> None:
    path = data_of(torn) if name == "data" else torn / "amp" / name
    path.unlink()
    before = making.tree(torn)
    with pytest.raises(RecordingError, match=rf"{path.name}: No such file .* put a copy"):
        recover(torn)
    assert making.tree(torn) == before


def test_a_damaged_description_of_samples_is_no_tear(torn: Path) -> None:
    path = torn / "amp/stream.json"
    path.write_bytes(flipped(path.read_bytes(), 30))
    before = making.tree(torn)
    with pytest.raises(RecordingError, match="checksum does not match.* rename the folder amp"):
        recover(torn)
    assert making.tree(torn) == before
    (torn / "amp").rename(torn / "amp.torn")  # as it says
    recover(torn)
    seal(Session.open(torn))
    assert verify(torn).problems == ["amp/: no samples were recorded"]


@pytest.mark.parametrize("left", ["", "stream.json", "data.vhdr", "data.eeg", "data.idx"])
def test_a_folder_that_was_never_finished_is_moved_aside(tmp_path: Path, left: str) -> None:
    """The writer was killed after it made `left`, which is half written."""
    session = making.make_session(tmp_path)
    making.record(session, making.signal("int16"))
    making.StreamWriter.create(session.path / "buttons", making.signal(), name="buttons").close()
    names = ["stream.json", "data.vhdr", "data.eeg", "data.idx", "data.vmrk"]
    for name in names[names.index(left) + 1 if left else 0 :]:
        (session.path / "buttons" / name).unlink()
    if left:
        path = session.path / "buttons" / left
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    before = making.tree(session.path / "buttons")
    recovery = recover(session.path)
    assert recovery.changed
    assert recovery.streams["amp"] == StreamRecovery(18, 0)
    size = sum(len(data or b"") for data in before.values())
    assert recovery.streams["buttons.torn"] == StreamRecovery(0, size)
    assert making.tree(session.path / "buttons.torn") == before
    assert not (session.path / "buttons").exists()
    seal(Session.open(session.path))
    assert verify(session.path, full=True).ok
    assert set(verify(session.path).streams) == {"amp"}


def test_a_stream_that_has_no_sample_yet_stays(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    making.StreamWriter.create(session.path / "amp", making.signal(), name="amp").close()
    before = making.tree(session.path / "amp")
    assert recover(session.path).streams == {"amp": StreamRecovery(0, 0)}
    assert making.tree(session.path / "amp") == before


def test_space_that_was_reserved_is_given_back(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    info = making.signal("int16", channels=64)
    with making.StreamWriter.create(session.path / "amp", info, name="amp") as writer:
        writer.append(making.frames(info, 4), counter=0, arrival_s=0)
        data = session.path / "amp/data.eeg"
        if data.stat().st_blocks * 512 < 1_000_000:
            pytest.skip("no space can be reserved on this file system")
        recover(session.path)  # the writer, which stands for one that was killed, writes no more
        assert data.stat().st_blocks * 512 < 100_000
    np.testing.assert_array_equal(open_stream(session.path / "amp").samples, making.frames(info, 4))
    assert read_document(session.path / layout.SESSION, dict)["state"] == "RECOVERED"
