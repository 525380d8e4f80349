"""Salvage: what is intact of a damaged session comes into a new one, and nothing else does."""

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from rigctl.blocks import BlockFlags, Marker
from rigctl.errors import RecordingError, SessionExists, SessionNotFound
from rigctl.recording import index, layout
from rigctl.recording.events import EventLog, read_events
from rigctl.recording.manifest import seal
from rigctl.recording.reader import StreamReader, open_stream
from rigctl.recording.recover import recover
from rigctl.recording.salvage import salvage
from rigctl.recording.salvage_report import SalvageReport
from rigctl.recording.session import Session, SessionStream, Window
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import verify
from tests.recording import making

FRAME = 4
POINTS = 10
BLOCK = FRAME * POINTS


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody cuts the power in these tests."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Ten blocks of ten samples, a marker in each, and a camera beside them."""
    session = making.make_session(tmp_path)
    info = making.signal("int16")
    images = making.images()
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        folder = session.path / "amp"
        with StreamWriter.create(folder, info, name="amp", events=events) as writer:
            writer.new_segment(making.WHEN)
            for number in range(10):
                samples = making.frames(info, POINTS, number)
                writer.append(samples, counter=number, arrival_s=13.0 + number)
                writer.mark(Marker(writer.samples - 1, "Stimulus", f"S{number:3}"))
    with StreamWriter.create(session.path / "cam", images, name="cam") as writer:
        for number in range(3):
            writer.append(making.frames(images, 2, number), counter=number, arrival_s=number)
    return session


def recorded(*numbers: int) -> np.ndarray:
    info = making.signal("int16")
    nothing = np.zeros((POINTS, 2), np.int16)
    blocks = [making.frames(info, POINTS, n) if n >= 0 else nothing for n in numbers]
    return np.concatenate(blocks)


def flip(path: Path, at: int, mask: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


def wipe(path: Path, begin: int, end: int) -> None:
    data = bytearray(path.read_bytes())
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)


def salvaged(path: Path) -> tuple[SalvageReport, StreamReader]:
    """Salvage, and check what holds of every salvage."""
    before = making.tree(path)
    report = salvage(path)
    assert making.tree(path) == before
    assert report.verified
    target = Path(report.target)
    assert target == path.with_name("eeg.salvaged")
    assert verify(target, full=True).problems == []
    assert Session.open(target).record.state == "SALVAGED"
    return report, open_stream(target / "amp")


def positions(read: StreamReader) -> dict[str, int]:
    return {m.description: m.position for m in read.markers if m.type == "Stimulus"}


def test_a_session_that_was_killed_comes_out_whole(session: Session) -> None:
    report, read = salvaged(session.path)
    assert report.ok
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))
    np.testing.assert_array_equal(
        open_stream(Path(report.target) / "cam").samples, open_stream(session.path / "cam").samples
    )
    old = open_stream(session.path / "amp")
    for name in ("first", "count", "counter", "arrival_s", "payload_crc", "flags", "missing"):
        assert read.index[name].tolist() == old.index[name].tolist()
    assert read.markers == old.markers
    assert (read.path / "data.vmrk").read_bytes() == (old.path / "data.vmrk").read_bytes()
    assert (read.path / "data.vhdr").read_bytes() == (old.path / "data.vhdr").read_bytes()


def test_an_intact_sealed_session_is_left_at_that(session: Session) -> None:
    seal(session)
    report = salvage(session.path)
    assert (report.ok, report.target) == (True, None)
    assert not session.path.with_name("eeg.salvaged").exists()


def test_a_flipped_bit_costs_its_block_which_is_filled_and_marked(session: Session) -> None:
    seal(session)
    flip(session.path / "amp/data.eeg", 4 * BLOCK + 3)
    report, read = salvaged(session.path)
    assert not report.ok
    np.testing.assert_array_equal(read.samples, recorded(0, 1, 2, 3, -1, 5, 6, 7, 8, 9))
    assert [(gap.position, gap.filled) for gap in read.gaps] == [(40, 10)]
    assert Marker(40, "Comment", "GAP 10", 10) in read.markers
    assert positions(read)["S  9"] == 99
    amp = report.streams["amp"]
    assert (amp.blocks, amp.blocks_left_out, amp.samples_lost) == (9, 1, 10)
    assert amp.bytes_not_understood == BLOCK
    assert amp.places == ("samples 40 to 49: filled",)
    episodes = {e.source: e.detail for e in Session.open(Path(report.target)).record.episodes}
    assert "1 blocks left out; 10 samples lost" in episodes["amp"]


def test_a_long_loss_begins_a_segment_and_markers_move_with_their_samples(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigctl.recording.salvage_stream.FILL_LIMIT_S", 0.015)
    session.update(window=Window(start_unix_s=1.0, positions={"amp": (0.25, 99.5)}))
    wipe(session.path / "amp/data.eeg", 4 * BLOCK, 6 * BLOCK)
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(0, 1, 2, 3, 6, 7, 8, 9))
    assert [(gap.position, gap.filled, gap.missing) for gap in read.gaps] == [(40, 0, 20)]
    assert Marker(40, "New Segment") in read.markers
    assert [positions(read)[f"S{n:3}"] for n in (3, 6, 9)] == [39, 49, 79]
    assert Session.open(Path(report.target)).record.window.positions == {"amp": (0.25, 79.5)}


@pytest.mark.parametrize("bit", [0, 13, 100, 170, 260, 300, 390, 420, 450, 500])
def test_a_flipped_bit_in_the_index_is_put_right(session: Session, bit: int) -> None:
    flip(session.path / "amp/data.idx", 3 * 64 + bit // 8, 1 << bit % 8)
    report, read = salvaged(session.path)
    assert report.ok
    assert report.streams["amp"].blocks_put_right == 1
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))
    assert read.index["arrival_s"].tolist() == [13.0 + n for n in range(10)]


def test_a_record_that_is_gone_costs_its_block_only(session: Session) -> None:
    wipe(session.path / "amp/data.idx", 3 * 64, 5 * 64)
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(0, 1, 2, -1, -1, 5, 6, 7, 8, 9))
    assert report.streams["amp"].blocks_loose == 1, "whole, but its check begins with what is gone"
    assert read.index["arrival_s"].tolist()[-5:] == [18.0, 19.0, 20.0, 21.0, 22.0]


def test_samples_count_also_where_more_of_their_record_is_damaged(session: Session) -> None:
    flip(session.path / "amp/data.idx", 3 * 64 + 33, 0x55)  # the time of arrival
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))
    assert report.streams["amp"].blocks_loose == 1
    assert not report.streams["amp"].blocks_left_out


def test_a_time_that_is_no_time_keeps_nothing_from_being_salvaged(session: Session) -> None:
    data = bytearray((session.path / "amp/data.idx").read_bytes())
    data[32:40] = struct.pack("<d", 1e300)
    data[7 * 64 + 32 : 7 * 64 + 40] = struct.pack("<d", float("nan"))
    (session.path / "amp/data.idx").write_bytes(data)
    (session.path / layout.EVENTS).unlink()
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))
    assert report.streams["amp"].blocks_loose == 2


def test_a_record_that_is_not_proven_does_not_bring_stand_ins(session: Session) -> None:
    """Its flags may be wrong: whether the source ever sent these is not known."""
    with StreamWriter.reopen(session.path / "amp") as writer:
        writer.fill(POINTS, counter=10, arrival_s=30)
        writer.append(making.frames(writer.info, POINTS, 11), counter=11, arrival_s=31)
    flip(session.path / "amp/data.idx", 10 * 64 + 52, 3)
    _, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(*range(10), -1, 11))
    assert [(gap.position, gap.filled) for gap in read.gaps] == [(100, 10)]


def test_every_truncation_of_samples_and_index_keeps_what_is_whole(session: Session) -> None:
    for name, unit in (("data.eeg", BLOCK), ("data.idx", 64)):
        data = (session.path / "amp" / name).read_bytes()
        for length in range(0, len(data), 47):
            (session.path / "amp" / name).write_bytes(data[:length])
            report, read = salvaged(session.path)
            np.testing.assert_array_equal(read.samples, recorded(*range(10))[: length // unit * 10])
            assert not report.ok
            assert Session.open(Path(report.target)).record.streams["cam"].required
            shutil.rmtree(report.target)
        (session.path / "amp" / name).write_bytes(data)


def test_whole_blocks_come_out_of_a_torn_end(session: Session) -> None:
    flip(session.path / "amp/data.idx", 8 * 64 + 20)
    flip(session.path / "amp/data.idx", 9 * 64 + 20)
    recover(session.path)
    assert open_stream(session.path / "amp").samples.shape[0] == 80
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))
    assert report.streams["amp"].blocks_from_torn == 2
    assert report.ok
    assert positions(read)["S  9"] == 99


def test_a_torn_end_stands_before_what_was_recorded_in_its_place(session: Session) -> None:
    for number in (8, 9):
        flip(session.path / "amp/data.idx", number * 64 + 20)
    recover(session.path)
    events = EventLog(session.path / layout.EVENTS, "recorder")
    with events, StreamWriter.reopen(session.path / "amp", events) as writer:
        writer.new_segment(making.WHEN, lost=True)
        writer.append(making.frames(writer.info, POINTS, 20), counter=20, arrival_s=40)
        writer.mark(Marker(85, "Stimulus", "S 20"))
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(*range(10), 20))
    assert report.streams["amp"].blocks_from_torn == 2
    assert positions(read)["S 20"] == 105
    assert positions(read)["S  7"] == 79
    assert read.index["flags"].tolist()[-1] & BlockFlags.GAP_BEFORE


def test_samples_behind_the_index_are_taken_only_on_request(session: Session) -> None:
    os.truncate(session.path / "amp/data.idx", 7 * 64)
    report, read = salvaged(session.path)
    assert len(read.samples) == 70
    assert report.streams["amp"].bytes_not_understood == 3 * BLOCK
    shutil.rmtree(report.target)
    report = salvage(session.path, unverified=True)
    assert (report.complete, report.verified) == (False, True)
    read = open_stream(Path(report.target) / "amp")
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))
    assert Marker(70, "Comment", "UNVERIFIED 30", 30) in read.markers
    assert report.streams["amp"].samples_unverified == 30


def test_without_an_index_nothing_is_taken_but_on_request(session: Session) -> None:
    for stream in ("amp", "cam"):
        (session.path / stream / "data.idx").unlink()
    report = salvage(session.path, unverified=True)
    np.testing.assert_array_equal(
        open_stream(Path(report.target) / "amp").samples, recorded(*range(10))
    )
    shutil.rmtree(report.target)
    report, read = salvaged(session.path)
    assert len(read.samples) == 0
    assert report.streams["amp"].bytes_not_understood == 10 * BLOCK


def test_damaged_blocks_are_taken_on_request_too(session: Session) -> None:
    flip(session.path / "amp/data.eeg", 4 * BLOCK)
    report = salvage(session.path, unverified=True)
    read = open_stream(Path(report.target) / "amp")
    assert len(read.samples) == 100
    assert np.count_nonzero(read.samples != recorded(*range(10))) == 1
    assert positions(read)["S  9"] == 99


@pytest.mark.parametrize("damage", ["flipped", "half", "gone"])
def test_a_stream_is_described_by_its_header_file_where_need_be(
    session: Session, damage: str
) -> None:
    path = session.path / "amp/stream.json"
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(data[: len(data) // 2] if damage == "half" else data)
    if damage == "flipped":
        flip(path, 100)
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))
    assert read.header.channels == making.signal("int16").channels
    assert report.ok is (damage == "flipped")
    assert ("made anew from the .vhdr" in str(report.streams["amp"].problems)) is not report.ok


def test_a_stream_that_nothing_describes_is_left_out_and_told(session: Session) -> None:
    (session.path / "cam/stream.json").unlink()
    report, _ = salvaged(session.path)
    assert not report.ok
    assert "cam/: left out: stream.json: No such file" in "".join(report.problems)
    assert set(report.streams) == {"amp"}


@pytest.mark.parametrize("damage", ["flipped", "wiped", "gone"])
def test_a_damaged_session_file_costs_what_only_it_knew(session: Session, damage: str) -> None:
    seal(session)
    path = session.path / layout.SESSION
    if damage == "flipped":
        flip(path, 200)
    elif damage == "wiped":
        wipe(path, 100, 200)
    else:
        path.unlink()
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))
    assert report.ref == "2024-01-01_1_subject"
    assert report.ok is (damage == "flipped")
    record = Session.open(Path(report.target)).record
    assert record.host == ("rig-1" if report.ok else record.host)


def test_all_good_lines_of_the_events_are_kept_and_the_bad_ones_counted(session: Session) -> None:
    path = session.path / layout.EVENTS
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3][:20] + bytes(40) + lines[3][60:]
    lines[5] = lines[5][:-1] + b"\0\0"  # its end is gone, and it runs into the next
    lines[7] = lines[7].replace(b"S  6", b"S  7")
    path.write_bytes(b"".join(lines) + b'{"writer":"reco')
    report, read = salvaged(session.path)
    assert (report.events_put_right, report.events_left_out) == (1, 3)
    assert positions(read) == {f"S{n:3}": 10 * n + 9 for n in range(10)}
    assert report.problems == (
        "events.jsonl: 2 markers are only in a .vmrk, which has no checksums; they are taken",
    )
    events = read_events(Path(report.target) / layout.EVENTS)
    assert events.problems == ()


@pytest.mark.parametrize("damage", ["gone", "wiped", "empty"])
def test_without_events_the_markers_are_those_of_the_marker_file(
    session: Session, damage: str
) -> None:
    events = session.path / layout.EVENTS
    size = events.stat().st_size
    flip(session.path / "amp/data.eeg", 3)
    events.unlink()
    if damage != "gone":
        events.write_bytes(bytes(size if damage == "wiped" else 0))
    report, read = salvaged(session.path)
    assert positions(read) == {f"S{n:3}": 10 * n + 9 for n in range(10)}
    assert [m.position for m in read.markers if m.type == "New Segment"] == [0]
    assert "11 markers are only in a .vmrk" in report.problems[-1]
    assert not report.ok


def test_events_that_end_too_early_are_told_by_the_marker_file(session: Session) -> None:
    lines = (session.path / layout.EVENTS).read_bytes().splitlines(keepends=True)
    (session.path / layout.EVENTS).write_bytes(b"".join(lines[:5]))
    report, read = salvaged(session.path)
    assert positions(read) == {f"S{n:3}": 10 * n + 9 for n in range(10)}
    assert not report.ok


def test_a_marker_file_that_is_damaged_beside_good_events_adds_nothing(session: Session) -> None:
    vmrk = session.path / "amp/data.vmrk"
    vmrk.write_bytes(vmrk.read_bytes().replace(b"S  3", b"S  X"))
    report, read = salvaged(session.path)
    assert report.ok
    assert positions(read) == {f"S{n:3}": 10 * n + 9 for n in range(10)}


def test_what_the_rig_said_of_a_failure_stays_on_record(session: Session) -> None:
    streams = {"amp": SessionStream(failure="the disk was full"), "late": SessionStream()}
    session.update(streams=streams)
    report, _ = salvaged(session.path)
    record = Session.open(Path(report.target)).record
    assert any("the rig said: the disk was full" in e.detail for e in record.episodes)
    assert record.streams["amp"] == SessionStream()
    assert not record.streams["late"].required


def test_other_files_come_along_where_they_are_whole(session: Session) -> None:
    for name in ("log.jsonl", "notes.txt", "amp/photo.png", "bad.txt", "derived/x"):
        (session.path / name).parent.mkdir(exist_ok=True)
        (session.path / name).write_text("0123456789")
    seal(session)
    flip(session.path / "bad.txt", 3)
    (session.path / layout.LOG).write_text("0123456789\nlater")
    report, _ = salvaged(session.path)
    target = Path(report.target)
    assert (target / "log.jsonl").read_text() == "0123456789\nlater"
    assert (target / "notes.txt").exists() and (target / "amp/photo.png").exists()
    assert not (target / "bad.txt").exists() and not (target / "derived").exists()
    assert report.problems == ("bad.txt: was changed since it was sealed",)
    assert not report.ok


def test_a_missing_manifest_costs_nothing(session: Session) -> None:
    seal(session)
    (session.path / layout.MANIFEST).unlink()
    report, _ = salvaged(session.path)
    assert report.ok


def test_a_folder_that_was_renamed_on_a_recoverys_advice_is_salvaged_too(session: Session) -> None:
    (session.path / "amp").rename(session.path / "amp.torn")
    report, read = salvaged(session.path)
    np.testing.assert_array_equal(read.samples, recorded(*range(10)))


def test_gaps_and_segments_that_were_recorded_stay_as_they_are(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    info = making.signal("int16")
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        with StreamWriter.create(session.path / "amp", info, name="amp", events=events) as writer:
            writer.new_segment(making.WHEN)
            writer.append(making.frames(info, 5), counter=1, arrival_s=1)
            writer.fill(3, counter=2, arrival_s=2)
            writer.append(making.frames(info, 5), counter=3, arrival_s=3)
            writer.new_segment(making.WHEN, lost=True, missing=1000)
            writer.append(making.frames(info, 5), counter=4, arrival_s=4)
            writer.new_segment(making.WHEN, lost=True)
            writer.append(making.frames(info, 5), counter=5, arrival_s=5)
    report, read = salvaged(session.path)
    old = open_stream(session.path / "amp")
    assert report.ok
    assert read.gaps == old.gaps
    assert read.markers == old.markers
    assert read.index["flags"].tolist() == old.index["flags"].tolist()
    assert report.events == len(read_events(Path(report.target) / layout.EVENTS).events) - 1


def test_a_data_root_may_be_given(session: Session, tmp_path: Path) -> None:
    report = salvage(session.path, tmp_path / "other")
    assert report.target == str(tmp_path / "other/subject/2024-01-01/001/eeg")
    assert verify(Path(report.target)).ok


def test_nothing_is_overwritten(session: Session, tmp_path: Path) -> None:
    with pytest.raises(SessionExists, match=r"is there already .* not overwritten"):
        salvage(session.path, tmp_path)
    with pytest.raises(RecordingError, match="inside the damaged session"):
        salvage(session.path, session.path)
    salvage(session.path)
    with pytest.raises(SessionExists):
        salvage(session.path)


def test_a_session_without_anything_intact_is_told_and_makes_nothing(session: Session) -> None:
    for name in ("amp/data.eeg", "cam/data.bin", "events.jsonl"):
        wipe(session.path / name, 0, (session.path / name).stat().st_size)
    with pytest.raises(RecordingError, match="nothing in it is intact"):
        salvage(session.path)
    assert not session.path.with_name("eeg.salvaged").exists()


def test_a_folder_without_a_session_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(SessionNotFound):
            salvage(path)


def test_a_salvage_that_fails_is_set_aside(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RecordingError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(StreamWriter, "append", full)
        with pytest.raises(RecordingError, match="no space left"):
            salvage(session.path)
    assert session.path.with_name("eeg.salvaged.abandoned-1").is_dir()
    salvaged(session.path)


def test_parts_are_read_as_one_recording(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    info = making.images()
    making.record(session, info, blocks=4)
    folder = session.path / "amp"
    split_parts(folder, 2, info.frame_bytes)
    assert verify(session.path).ok
    flip(folder / "data_0002.bin", 1)
    report, read = salvaged(session.path)
    assert report.streams["amp"].blocks_left_out == 1
    np.testing.assert_array_equal(read.samples[:8], open_stream(folder).samples[:8])
    np.testing.assert_array_equal(read.samples[12:16], making.frames(info, 4, 3))
    assert [(gap.position, gap.filled) for gap in read.gaps] == [(8, 4), (16, 2)]


def split_parts(folder: Path, at: int, frame_bytes: int) -> None:
    """Move the samples from a record on into a second part."""
    data, walked = (folder / "data.bin").read_bytes(), (folder / "data.idx").read_bytes()
    records = index.walk(walked, frame_bytes).records
    border = int(records[at]["offset"])
    (folder / "data.bin").write_bytes(data[:border])
    (folder / "data_0002.bin").write_bytes(data[border:])
    entries, crc = b"", 0
    for number, old in enumerate(records):
        late = number >= at
        record = index.Record(
            offset=int(old["offset"]) - border * late,
            first=int(old["first"]),
            count=int(old["count"]),
            payload_crc=int(old["payload_crc"]),
            counter=int(old["counter"]),
            arrival_s=float(old["arrival_s"]),
            flags=BlockFlags(int(old["flags"])),
            part=1 + late,
        )
        entry, crc = index.encode(record, crc)
        entries += entry
    (folder / "data.idx").write_bytes(entries)
