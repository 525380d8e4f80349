"""The writer of a stream: what is appended is read, gaps are told, errors cost nothing."""

import os
import threading
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rigctl.blocks import BlockFlags, Marker, StreamInfo
from rigctl.errors import RecordingError
from rigctl.recording.append_file import FileDigest
from rigctl.recording.manifest import file_digest
from rigctl.recording.reader import Gap, open_stream
from rigctl.recording.stream_writer import StreamWriter
from tests.recording import making
from tests.recording.making import WHEN, frames


def create(folder: Path, info: StreamInfo) -> StreamWriter:
    return StreamWriter.create(folder, info, name="amp", facts={"block_points": 20})


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_mne_reads_a_recording_that_goes_on_bit_by_bit(tmp_path: Path, dtype: str) -> None:
    info = making.signal(dtype, channels=3)
    with create(tmp_path / "amp", info) as writer:
        writer.new_segment(WHEN)
        for number in range(3):
            writer.append(frames(info, 50, number), counter=number, arrival_s=number)
        writer.mark(Marker(7, "Stimulus", "S  1"), Marker(60, "Comment", "a, b", 5))
        raw = mne.io.read_raw_brainvision(tmp_path / "amp/data.vhdr", preload=True, verbose="error")
        expected = np.concatenate([frames(info, 50, number) for number in range(3)])
        # MNE scales to volts: resolution 0.5 µV.
        np.testing.assert_array_equal(np.rint(raw.get_data().T / 0.5e-6), expected)
        assert raw.info["sfreq"] == 1000
        assert raw.info["meas_date"] == WHEN  # from the first New Segment
        assert raw.annotations.description.tolist() == [
            "Stimulus/S  1",
            "Comment/a, b",
        ]
        np.testing.assert_allclose(raw.annotations.onset, [0.007, 0.06])


@pytest.mark.parametrize("info", [making.signal("int16"), making.signal(), making.images()])
def test_what_is_appended_comes_back(tmp_path: Path, info: StreamInfo) -> None:
    with create(tmp_path / "amp", info) as writer:
        writer.append(frames(info, 5), counter=3, arrival_s=1.5, flags=BlockFlags.NEW_RUN)
        writer.append(frames(info, 0), counter=4, arrival_s=1.6)
        writer.append(frames(info, 2, 1), counter=5, arrival_s=1.7, flags=BlockFlags.STOP)
        live = open_stream(writer.folder)
    assert live.info == info
    np.testing.assert_array_equal(
        live.samples, np.concatenate([frames(info, 5), frames(info, 2, 1)])
    )
    assert live.index["counter"].tolist() == [3, 5]
    assert live.index["arrival_s"].tolist() == [1.5, 1.7]
    assert live.index["flags"].tolist() == [BlockFlags.NEW_RUN | BlockFlags.START, BlockFlags.STOP]
    assert writer.samples == writer.durable_samples == 7
    assert writer.bytes == 7 * info.frame_bytes


def test_float_bits_are_kept_whatever_they_mean(tmp_path: Path) -> None:
    info = making.signal()
    bits = np.random.default_rng(0).integers(0, 2**32, (500, 2), np.uint32)
    with create(tmp_path / "amp", info) as writer:
        writer.append(bits.view("<f4"), counter=0, arrival_s=0)
    assert (tmp_path / "amp/data.eeg").read_bytes() == bits.tobytes()


def test_samples_that_do_not_lie_in_a_row_are_written_in_order(tmp_path: Path) -> None:
    info = making.signal("int16")
    wide = frames(making.signal("int16", channels=6), 10)
    with create(tmp_path / "amp", info) as writer:
        writer.append(wide[::2, 1:3], counter=0, arrival_s=0)
    np.testing.assert_array_equal(open_stream(writer.folder).samples, wide[::2, 1:3])


def test_everything_is_described_on_disk_before_the_first_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = making.StreamWriter.create.__globals__["sync_folder"]
    monkeypatch.setattr(
        "rigctl.recording.stream_writer.sync_folder",
        lambda path: (synced.append(path.name), sync(path))[1],
    )
    with create(tmp_path / "amp", making.signal()) as writer:
        names = sorted(path.name for path in writer.folder.iterdir())
        assert names == ["data.eeg", "data.idx", "data.vhdr", "data.vmrk", "stream.json"]
        assert synced == ["amp", tmp_path.name]
        assert open_stream(writer.folder).header.facts == {"block_points": 20}


def test_a_stream_that_is_no_signal_has_no_brainvision_files(tmp_path: Path) -> None:
    with create(tmp_path / "camera", making.images()) as writer:
        names = sorted(path.name for path in writer.folder.iterdir())
    assert names == ["data.bin", "data.idx", "stream.json"]


def test_a_folder_that_is_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "amp").mkdir()
    with pytest.raises(RecordingError, match="File exists"):
        create(tmp_path / "amp", making.signal())


@pytest.mark.parametrize(
    "samples",
    [np.zeros((3, 2)), np.zeros((3, 1), "f4"), np.zeros((3, 2), ">f4"), np.zeros(3, "f4")],
)
def test_samples_that_do_not_fit_are_refused(tmp_path: Path, samples: np.ndarray) -> None:
    with create(tmp_path / "amp", making.signal()) as writer:
        with pytest.raises(RecordingError, match="do not fit a stream of float32"):
            writer.append(samples, counter=0, arrival_s=0)
        assert writer.samples == 0


def test_a_gap_of_known_length_is_filled_flagged_marked_and_counted(tmp_path: Path) -> None:
    info = making.signal()
    with create(tmp_path / "amp", info) as writer:
        writer.append(frames(info, 4), counter=0, arrival_s=0)
        writer.fill(3, counter=1, arrival_s=1)
        writer.fill(0, counter=1, arrival_s=1)
        writer.append(frames(info, 4), counter=2, arrival_s=1)
        assert (writer.gaps, writer.missing_samples, writer.samples) == (1, 3, 11)
    read = open_stream(writer.folder)
    assert np.isnan(read.samples[4:7]).all()
    assert read.gaps == [Gap(4, 3, 0)]
    assert read.markers == (Marker(4, "Comment", "GAP 3", 3),)


def test_a_long_gap_is_filled_in_pieces_and_is_one_gap(tmp_path: Path) -> None:
    info = making.signal("int16", channels=64)
    with create(tmp_path / "amp", info) as writer:
        writer.fill(20_000, counter=0, arrival_s=0)
    read = open_stream(writer.folder)
    assert len(read.index) > 1
    assert read.gaps == [Gap(0, 20_000, 0)]
    assert read.samples.shape == (20_000, 64)
    assert not read.samples.any()
    assert (writer.gaps, writer.missing_samples) == (1, 20_000)


def test_a_gap_that_is_not_filled_begins_a_segment_and_is_counted(tmp_path: Path) -> None:
    info = making.signal()
    with create(tmp_path / "amp", info) as writer:
        writer.new_segment(WHEN)
        writer.append(frames(info, 4), counter=0, arrival_s=0)
        writer.new_segment(WHEN, lost=True)
        writer.append(frames(info, 4), counter=10, arrival_s=1)
        writer.new_segment(WHEN, missing=1000)
        writer.append(frames(info, 4), counter=20, arrival_s=2)
    read = open_stream(writer.folder)
    assert read.gaps == [Gap(4, 0, 0), Gap(8, 0, 1000)]
    assert (writer.gaps, writer.missing_samples) == (2, 1000)
    segments = [marker.position for marker in read.markers if marker.type == "New Segment"]
    assert segments == [0, 4, 8]
    assert Marker(8, "Comment", "GAP 1000") in read.markers


def test_a_new_segment_of_the_source_at_the_same_place_is_one(tmp_path: Path) -> None:
    info = making.signal()
    with create(tmp_path / "amp", info) as writer:
        writer.new_segment(WHEN)
        writer.mark(Marker(0, "New Segment", ""), Marker(0, "Stimulus", "S  1"))
        writer.append(frames(info, 4), counter=0, arrival_s=0)
        writer.mark(Marker(2, "New Segment", ""))
    markers = open_stream(writer.folder).markers
    assert [(marker.type, marker.position) for marker in markers] == [
        ("New Segment", 0),
        ("Stimulus", 0),
        ("New Segment", 2),
    ]


def test_the_digests_are_those_of_the_files(tmp_path: Path) -> None:
    info = making.signal()
    with create(tmp_path / "amp", info) as writer:
        for number in range(5):
            writer.append(frames(info, 10, number), counter=number, arrival_s=number)
    for name in ("amp/data.eeg", "amp/data.idx"):
        assert writer.digests[name] == file_digest(tmp_path / name)
    assert isinstance(writer.digests["amp/data.eeg"], FileDigest)


def test_only_a_sync_moves_the_durable_count(tmp_path: Path) -> None:
    info = making.signal()
    with create(tmp_path / "amp", info) as writer:
        writer.append(frames(info, 4), counter=0, arrival_s=0)
        assert writer.durable_samples == 0
        assert writer.sync() == 4
        writer.append(frames(info, 4), counter=1, arrival_s=0)
        assert writer.durable_samples == 4
    assert writer.durable_samples == 8
    writer.close()


def test_data_is_synced_before_the_index_that_vouches_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    with create(tmp_path / "amp", making.signal()) as writer:
        files = writer._files
        part = files._chain.last
        names = {part.data._fd: "data", files._index._fd: "index", part._markers._fd: "vmrk"}
        monkeypatch.setattr("os.fdatasync", lambda fd: order.append(names[fd]))
        writer.sync()
        monkeypatch.undo()
    assert order == ["data", "index", "vmrk"]


def test_another_thread_syncs_while_samples_are_appended(tmp_path: Path) -> None:
    info = making.signal()
    with create(tmp_path / "amp", info) as writer:
        done = threading.Event()
        seen: list[int] = []

        def flush() -> None:
            while not done.is_set():
                seen.append(writer.sync())

        thread = threading.Thread(target=flush)
        thread.start()
        for number in range(200):
            writer.append(frames(info, 5, number), counter=number, arrival_s=number)
        done.set()
        thread.join()
    assert seen == sorted(seen)
    assert writer.durable_samples == writer.samples == 1000
    assert len(open_stream(writer.folder).samples) == 1000


def test_a_closed_writer_writes_nothing(tmp_path: Path) -> None:
    writer = create(tmp_path / "amp", making.signal())
    writer.close()
    with (tmp_path / "other").open("wb"):  # may well get the number of a closed file
        with pytest.raises(RecordingError, match="it is closed"):
            writer.append(frames(making.signal(), 1), counter=0, arrival_s=0)
        with pytest.raises(RecordingError, match="Bad file descriptor"):
            writer.mark(Marker(0, "Stimulus", "S  1"))
    assert (tmp_path / "other").read_bytes() == b""
    assert writer.sync() == 0


@pytest.mark.parametrize("failing_write", [1, 2, 3])
def test_a_failed_append_leaves_the_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_write: int
) -> None:
    info, write = making.signal(), os.write
    with create(tmp_path / "amp", info) as writer:
        writer.append(frames(info, 4), counter=0, arrival_s=0)
        calls: list[int] = []

        def fail(fd: int, data: memoryview) -> int:
            calls.append(fd)
            if len(calls) == failing_write:
                raise OSError(28, "No space left on device")
            return write(fd, data[: max(1, len(data) * 2 // 3)])

        monkeypatch.setattr("os.write", fail)
        with pytest.raises(RecordingError, match=r"data\.(eeg|idx): No space left .* MB free"):
            writer.append(frames(info, 4), counter=1, arrival_s=0)
        monkeypatch.undo()
        assert (tmp_path / "amp/data.eeg").stat().st_size == 4 * info.frame_bytes
        assert (tmp_path / "amp/data.idx").stat().st_size == 64
        writer.append(frames(info, 2, 5), counter=2, arrival_s=0)
    read = open_stream(writer.folder)
    np.testing.assert_array_equal(
        read.samples, np.concatenate([frames(info, 4), frames(info, 2, 5)])
    )
    assert writer.digests["amp/data.eeg"] == file_digest(tmp_path / "amp/data.eeg")


STEPS = st.lists(
    st.tuples(st.just("append"), st.integers(0, 5))
    | st.tuples(st.just("fill"), st.integers(0, 5))
    | st.tuples(st.just("lose"), st.integers(1, 5))
    | st.tuples(st.just("mark"), st.integers(0, 50)),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(
    steps=STEPS, info=st.sampled_from([making.signal("int16"), making.signal(), making.images()])
)
def test_any_sequence_of_steps_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], info: StreamInfo
) -> None:
    folder = tmp_path_factory.mktemp("stream") / "amp"
    expected, filled, lost = [np.empty((0, *info.shape), info.numpy_dtype)], 0, 0
    with create(folder, info) as writer:
        for number, (step, count) in enumerate(steps):
            if step == "append":
                writer.append(frames(info, count, number), counter=number, arrival_s=number)
                expected.append(frames(info, count, number))
                lost = 0 if count else lost
            elif step == "fill":
                writer.fill(count, counter=number, arrival_s=number)
                value = np.nan if info.dtype == "float32" else 0
                expected.append(np.full((count, *info.shape), value, info.numpy_dtype))
                filled, lost = filled + count, 0 if count else lost
            elif step == "lose":
                writer.new_segment(WHEN, missing=count)
                filled, lost = filled + count, lost + count
            else:
                writer.mark(Marker(count, "Stimulus", "S  1"))
    read = open_stream(folder)
    np.testing.assert_array_equal(read.samples, np.concatenate(expected))
    assert writer.samples == len(read.samples) == sum(map(len, expected))
    assert writer.missing_samples == filled - lost
    assert len(read.gaps) == writer.gaps
    assert sum(gap.filled + gap.missing for gap in read.gaps) == writer.missing_samples
    if info.is_signal:
        marks = [marker.position for marker in read.markers if marker.type == "Stimulus"]
        assert marks == [count for step, count in steps if step == "mark"]


@pytest.mark.parametrize("failing", ["data.idx", "data.vmrk"])
def test_a_stream_that_cannot_be_created_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    opening, opened = os.open, set()

    def open_or_fail(path: Path, *args: int) -> int:
        if str(path).endswith(failing):
            raise OSError(28, "No space left on device")
        opened.add(fd := opening(path, *args))
        return fd

    monkeypatch.setattr("os.open", open_or_fail)
    with pytest.raises(RecordingError, match=f"{failing}: No space left"):
        create(tmp_path / "amp", making.signal())
    monkeypatch.undo()
    for fd in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
