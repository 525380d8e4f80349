"""Recordings in several parts: none exceeds its limit, no sample is lost between two of them."""

import os
import threading
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from rigctl.blocks import BlockFlags, Marker, StreamInfo
from rigctl.config.keeping import Roll
from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.events import EventLog
from rigctl.recording.manifest import file_digest, seal
from rigctl.recording.markers import ROLL_OVER
from rigctl.recording.parts import JoinedParts
from rigctl.recording.reader import open_stream
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.recording import making
from tests.recording.making import WHEN, frames
from tests.recording.rolled import INFO, POINTS, add, create, expected, marks, names, record


def name_of(fd: int) -> str:
    return Path(f"/proc/self/fd/{fd}").readlink().name


def open_files() -> set[Path]:
    links = list(Path("/proc/self/fd").iterdir())
    return {link.readlink() for link in links if link.is_symlink()}


# --- parts


@pytest.mark.parametrize("info", [making.signal("int16"), making.signal(), making.images()])
def test_no_part_exceeds_its_limit_and_one_index_spans_all(
    session: Session, events: EventLog, info: StreamInfo
) -> None:
    with create(session, events, Roll(10 * info.frame_bytes + 1, 3600), info) as writer:
        for number, points in enumerate([4, 4, 3, 20, 1, 9, 1]):
            writer.append(frames(info, points, number), counter=number, arrival_s=number)
    stream = open_stream(writer.folder)
    assert stream.index["part"].tolist() == [1, 1, 2, 3, 4, 4, 5]
    assert stream.index["offset"].tolist() == [
        points * info.frame_bytes for points in (0, 4, 0, 0, 0, 1, 0)
    ]
    rolled = (stream.index["flags"] & BlockFlags.ROLL_OVER) != 0
    assert rolled.tolist() == [False, False, True, True, True, False, True]
    sizes = [layout.data_sizes(writer.folder)[layout.part_name(stream.header.data, part)]
             for part in range(1, 6)]  # fmt: skip
    assert sizes == [points * info.frame_bytes for points in (8, 3, 20, 10, 1)]
    assert isinstance(stream.samples, JoinedParts)
    assert writer.bytes == sum(sizes)
    seal(session, writer.digests)
    assert verify(session.path, full=True).problems == []


def test_a_part_ends_after_its_time(session: Session) -> None:
    with create(session, None, Roll(10**9, 0.0085)) as writer:  # 8 samples at 1000 Hz
        for number in range(5):
            add(writer, number)
    assert open_stream(writer.folder).index["part"].tolist() == [1, 1, 2, 2, 3]


def test_what_stands_in_for_lost_samples_rolls_over_too(session: Session, events: EventLog) -> None:
    info = making.signal("int16", channels=64)
    with create(session, events, Roll(1 << 20, 3600), info) as writer:
        writer.append(frames(info, 5), counter=0, arrival_s=0)
        writer.fill(20_000, counter=1, arrival_s=1)
    stream = open_stream(writer.folder)
    assert [gap.filled for gap in stream.gaps] == [20_000]
    assert int(stream.index["part"][-1]) == 4
    assert not np.asarray(stream.samples[5:]).any()
    assert verify(session.path).problems == []


@pytest.mark.parametrize("is_synced", [True, False])
def test_mne_reads_each_part_while_the_recording_goes_on(
    session: Session, events: EventLog, is_synced: bool
) -> None:
    with create(session, events) as writer:
        writer.new_segment(WHEN)
        for number in range(7):
            add(writer, number)
            if is_synced:
                writer.sync()
            for part in range(1, number // 2 + 2):
                data = layout.part_name("data.eeg", part)
                header = writer.folder / layout.header_name(data)
                raw = mne.io.read_raw_brainvision(header, preload=True, verbose="error")
                first = (part - 1) * 2
                blocks = [frames(INFO, POINTS, n) for n in range(first, min(first + 2, number + 1))]
                found = np.rint(raw.get_data().T / 0.5e-6)
                np.testing.assert_array_equal(found, np.concatenate(blocks))
                assert raw.info["meas_date"] is not None
                stimuli = [f"Stimulus/S{n:3}" for n in range(first, first + len(blocks))]
                assert raw.annotations.description.tolist()[: len(stimuli)] == stimuli
        np.testing.assert_array_equal(open_stream(writer.folder).samples, expected(7))


# --- the flush thread


def test_the_next_part_is_ready_before_it_is_needed_and_goes_if_it_is_not(
    session: Session, events: EventLog
) -> None:
    with create(session, events) as writer:
        add(writer, 0)
        assert "data_0002.eeg" not in names(writer)
        writer.sync()
        assert {"data_0002.eeg", "data_0002.vhdr", "data_0002.vmrk"} <= names(writer)
        assert verify(session.path).problems == []
    assert "data_0002.eeg" not in names(writer)
    assert not any(name.startswith("data_0002") for name in names(writer))


def test_a_part_that_is_far_from_full_has_no_next_one(session: Session) -> None:
    with create(session, None, Roll(100 * INFO.frame_bytes, 3600)) as writer:
        for number in range(5):
            add(writer, number)
            writer.sync()
        assert not any(name.startswith("data_0002") for name in names(writer))


def test_an_append_that_rolls_over_waits_for_no_disk(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create(session, None) as writer:
        add(writer, 0)
        add(writer, 1)
        writer.sync()

        def waited(*_: Any) -> None:
            raise AssertionError("an append waited")

        for name in ("fsync", "fdatasync", "ftruncate", "unlink"):
            monkeypatch.setattr(os, name, waited)
        add(writer, 2)
        monkeypatch.undo()
        assert layout.data_sizes(writer.folder)["data_0002.eeg"] == POINTS * INFO.frame_bytes


def test_a_header_is_on_disk_before_the_first_sample_of_its_part(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no flush has made the part ready."""
    order: list[str] = []
    write, sync = os.write, os.fsync

    with create(session, None) as writer:
        add(writer, 0)
        add(writer, 1)
        monkeypatch.setattr(os, "write", lambda fd, d: (order.append(name_of(fd)), write(fd, d))[1])
        monkeypatch.setattr(os, "fsync", lambda fd: (order.append("+" + name_of(fd)), sync(fd))[1])
        add(writer, 2)
        monkeypatch.undo()
    steps = ["+data_0002.vhdr", "+data_0002.vmrk", "+amp", "data_0002.eeg", "data.idx"]
    assert [step for step in order if step in steps] == steps
    assert order.index("data_0002.vmrk", order.index("data_0002.eeg")) < order.index("data.idx")


def test_a_part_that_is_full_is_closed_and_its_reserve_given_back(session: Session) -> None:
    info = making.signal("int16", channels=64)
    roll = Roll(1_000_000, 3600)
    with create(session, None, roll, info) as writer:
        for number in range(2):
            block = frames(info, 6000, number)  # 768 kB
            writer.append(block, counter=number, arrival_s=number)
        first = writer.folder / "data.eeg"
        held = open_files()
        assert first in held
        before = first.stat().st_blocks * 512
        writer.sync()
        held = open_files()
        assert first not in held
        assert first.stat().st_blocks * 512 <= min(before, 768_000 + 4096)
        assert writer.durable_samples == 12_000
        assert writer.digests["amp/data.eeg"] == file_digest(first)


def test_a_part_that_began_during_a_flush_stays_open_until_it_is_durable(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are written between the flush's first step and its last."""
    writer = create(session, None)
    synced: list[str] = []
    flush = os.fdatasync

    def slow(fd: int) -> None:
        flush(fd)
        synced.append(name_of(fd))
        if synced == ["data.eeg"]:
            for number in range(1, 5):
                add(writer, number)

    add(writer, 0)
    monkeypatch.setattr(os, "fdatasync", slow)
    assert writer.sync() == POINTS
    assert {"data.eeg"} == {name for name in synced if name.endswith(".eeg")}
    assert "amp/data_0002.eeg" in writer.digests
    synced.append("")
    assert writer.sync() == 5 * POINTS
    assert synced.count("data.eeg") == 2
    monkeypatch.undo()
    writer.close()
    assert {n: file_digest(session.path / n) for n in writer.digests} == writer.digests
    np.testing.assert_array_equal(open_stream(writer.folder).samples, expected(5))


def test_another_thread_flushes_while_parts_roll_over(session: Session, events: EventLog) -> None:
    with create(session, events) as writer:
        done = threading.Event()
        seen: list[int] = []

        def flush() -> None:
            while not done.is_set():
                seen.append(writer.sync())

        thread = threading.Thread(target=flush)
        thread.start()
        for number in range(100):
            block = frames(INFO, POINTS, number)
            writer.append(block, counter=number, arrival_s=number)
        done.set()
        thread.join()
    assert seen == sorted(seen)
    np.testing.assert_array_equal(open_stream(writer.folder).samples, expected(100))
    assert len(layout.data_sizes(writer.folder)) == 50
    seal(session, writer.digests)
    assert len(writer.digests) == 51
    assert verify(session.path, full=True).problems == []


# --- markers


def test_a_marker_that_waits_for_its_sample_stands_in_the_part_that_has_it(
    session: Session, events: EventLog
) -> None:
    with record(session, events, 2) as writer:
        writer.new_segment(WHEN, missing=5)
        writer.mark(Marker(9, "Stimulus", "S  9"), Marker(30, "Stimulus", "S 30"))
        assert ("GAP 5", 8) in marks(writer.folder)
        writer.append(frames(INFO, POINTS, 2), counter=2, arrival_s=2)
        writer.append(frames(INFO, POINTS, 3), counter=3, arrival_s=3)
        writer.append(frames(INFO, POINTS, 4), counter=4, arrival_s=4)
        second = [("", 0), ("GAP 5", 0), ("S  9", 1), ("S 30", 22)]
        assert marks(writer.folder, 2) == second
        assert marks(writer.folder, 3) == [(ROLL_OVER, 0), ("S 30", 14)]
        writer.sync()
        assert marks(writer.folder) == [("", 0), ("S  0", 0), ("S  1", 4)]
        assert marks(writer.folder, 2) == second[:-1]
    assert open_stream(writer.folder).gaps[0].position == 8
    seal(session, writer.digests)
    assert [m.position for m in open_stream(writer.folder).markers] == [0, 0, 4, 8, 8, 9]


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_marker_that_comes_late_stands_in_the_part_that_has_its_sample(
    session: Session, is_closed: bool
) -> None:
    with record(session, None, 5) as writer:
        if is_closed:
            writer.sync()
        writer.mark(Marker(7, "Stimulus", "first"), Marker(9, "Stimulus", "second"))
        writer.mark(Marker(17, "Stimulus", "third"))
        assert ("first", 7) in marks(writer.folder)
        assert ("second", 1) in marks(writer.folder, 2)
        assert ("third", 1) in marks(writer.folder, 3)
    seal(session, writer.digests)
    assert verify(session.path).problems == []
    positions = [m.position for m in open_stream(writer.folder).markers if m.type == "Stimulus"]
    assert sorted(positions) == [0, 4, 7, 8, 9, 12, 16, 17]


def test_the_seal_makes_every_marker_file_anew(session: Session, events: EventLog) -> None:
    with record(session, events) as writer:
        pass
    whole = [(writer.folder / f"{stem}.vmrk").read_bytes() for stem in ("data", "data_0002")]
    for text, stem in zip(whole, ("data", "data_0002"), strict=True):
        # The time of the first part's beginning is in the events, that of the second only here.
        keep = text.index(b"Mk2") if stem == "data_0002" else 10
        (writer.folder / f"{stem}.vmrk").write_bytes(text[:keep])
    (writer.folder / "data_0003.vmrk").unlink()
    seal(session, writer.digests)
    assert [
        (writer.folder / f"{stem}.vmrk").read_bytes() for stem in ("data", "data_0002")
    ] == whole
    text = (writer.folder / "data_0003.vmrk").read_text()
    assert f"Mk1=New Segment,{ROLL_OVER},1,1,0,20240101123015266000" in text  # 16 ms on
    assert marks(writer.folder, 3) == [(ROLL_OVER, 0), ("S  4", 0), ("S  5", 4)]
    assert verify(session.path, full=True).problems == []


# --- errors


@pytest.mark.parametrize("is_ready", [True, False])
@pytest.mark.parametrize("failing", range(8))
def test_a_roll_that_fails_leaves_all_as_it_was(
    session: Session, monkeypatch: pytest.MonkeyPatch, failing: int, is_ready: bool
) -> None:
    write, calls = os.write, iter(range(100))

    def fail(fd: int, data: memoryview) -> int:
        if next(calls) == failing:
            raise OSError(28, "No space left on device")
        return write(fd, data[: max(1, len(data) * 2 // 3)])

    with record(session, None, 2) as writer:
        if is_ready:
            writer.sync()
        before = making.tree(writer.folder)
        monkeypatch.setattr("os.write", fail)
        with pytest.raises(RecordingError, match="No space left"):
            writer.append(frames(INFO, POINTS, 2), counter=2, arrival_s=2)
        monkeypatch.undo()
        after = making.tree(writer.folder)
        assert after == {n: d for n, d in before.items() if not n.startswith("data_0002")}
        writer.append(frames(INFO, POINTS, 2), counter=2, arrival_s=2)
    np.testing.assert_array_equal(open_stream(writer.folder).samples, expected(3))
    seal(session, writer.digests)
    assert verify(session.path, full=True).problems == []


def test_a_file_that_stands_where_a_part_belongs_is_told_and_stays(session: Session) -> None:
    with record(session, None, 2) as writer:
        (writer.folder / "data_0002.eeg").write_bytes(b"of somebody")
        writer.sync()
        with pytest.raises(RecordingError, match=r"data_0002\.eeg: .* is there already"):
            add(writer, 2)
    assert (writer.folder / "data_0002.eeg").read_bytes() == b"of somebody"
    assert writer.samples == 2 * POINTS


@pytest.mark.parametrize("suffix", [".vhdr", ".vmrk", ".eeg"])
def test_damage_to_the_files_of_a_later_part_is_reported(
    session: Session, events: EventLog, suffix: str
) -> None:
    record(session, events).close()
    seal(session)
    path = session.path / f"amp/data_0002{suffix}"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert any(path.name in problem for problem in verify(session.path).problems)
    path.unlink()
    assert any(path.name in problem for problem in verify(session.path).problems)
    path.write_bytes(whole)
    assert verify(session.path).problems == []
