"""The log of events: what is appended is read back, and damage is told."""

import threading
from pathlib import Path

import pytest

from rigctl.errors import DiskFull, RecordingError
from rigctl.recording import durable, events
from rigctl.recording.events import EventLog, NewEvent, parse_events, read_events, sound_size


def test_an_event_is_one_line_with_its_times_and_value(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path, "recorder") as log:
        log.append("buttons", "line", "left\n", unix_s=1.5, monotonic_s=2.5)
        log.append("rig", "state", {"to": "RUNNING"})
    assert path.read_bytes().count(b"\n") == 2
    first, second = read_events(path).events
    assert (first.writer, first.sequence, first.unix_s, first.monotonic_s) == (
        "recorder",
        1,
        1.5,
        2.5,
    )
    assert (first.source, first.kind, first.value) == ("buttons", "line", "left\n")
    assert second.value == {"to": "RUNNING"}
    assert second.unix_s > 1.7e9


def test_many_events_are_one_write_and_one_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    write, sync = durable.os.write, events.os.fdatasync
    with EventLog(tmp_path / "events.jsonl") as log:
        monkeypatch.setattr("os.write", lambda *args: (calls.append("write"), write(*args))[1])
        monkeypatch.setattr("os.fdatasync", lambda fd: (calls.append("sync"), sync(fd))[1])
        log.append_many(NewEvent("amp", "marker", number) for number in range(50))
        log.append_many([])
        monkeypatch.undo()
    assert calls == ["write", "sync"]
    assert len(read_events(log.path).events) == 50


def test_a_log_that_is_opened_again_goes_on_counting(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        with EventLog(path, "recorder") as log:
            log.append("rig", "state", "x")
    read = read_events(path)
    assert [event.sequence for event in read.events] == [1, 2]
    assert read.problems == ()


def test_two_writers_count_their_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path, "recorder") as one, EventLog(path, "daemon") as two:
        for log in (one, two, two, one):
            log.append("rig", "state", "x")
    read = read_events(path)
    assert [(event.writer, event.sequence) for event in read.events] == [
        ("recorder", 1),
        ("daemon", 1),
        ("daemon", 2),
        ("recorder", 2),
    ]
    assert read.problems == ()


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        threads = [
            threading.Thread(target=lambda: [log.append("a", "b", "c" * 100) for _ in range(20)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    read = read_events(log.path)
    assert len(read.events) == 80
    assert read.problems == ()


def test_every_flipped_bit_is_told(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        log.append("amp", "marker", "S  1", unix_s=1.0, monotonic_s=1.0)
        log.append("amp", "marker", "S  2", unix_s=2.0, monotonic_s=2.0)
    data = log.path.read_bytes()
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert parse_events(bytes(changed)).problems


def test_a_torn_last_line_is_told_and_spoils_no_later_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.append("amp", "marker", "S  1")
        log.append("amp", "marker", "S  2")
    path.write_bytes(path.read_bytes()[:-5])
    assert read_events(path).problems == ("line 2: it does not end with its checksum",)
    with EventLog(path) as log:
        log.append("amp", "marker", "S  3")
    assert [event.value for event in read_events(path).events] == ["S  1", "S  3"]


def test_the_sound_part_ends_behind_the_last_good_line(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        log.append_many(NewEvent("amp", "state", value) for value in range(3))
    data = log.path.read_bytes()
    second = data.index(b"\n", data.index(b"\n") + 1) + 1
    assert sound_size(data) == len(data)
    assert sound_size(data[:-1]) == sound_size(data[:-1] + b"\0\n\r") == second
    assert sound_size(data[1:]) == len(data) - 1
    assert sound_size(b"{}\n") == sound_size(b"") == 0


def test_a_missing_line_shows(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        log.append_many(NewEvent("amp", "marker", number) for number in range(3))
    lines = log.path.read_bytes().splitlines(keepends=True)
    assert parse_events(lines[0] + lines[2]).problems == ("rig goes from line 1 to its line 3",)
    assert parse_events(lines[1]).problems == ("rig goes from line 0 to its line 2",)


def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    with (
        EventLog(Path("/dev/full")) as log,
        pytest.raises(RecordingError, match="/dev/full: No space left"),
    ):
        log.append("amp", "marker", "S  1")


def test_of_an_event_that_a_full_disk_takes_in_part_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        log.append("amp", "marker", "S  1")
        write = durable.os.write
        failing = iter([lambda fd, data: write(fd, data[:5]), raise_full])
        monkeypatch.setattr("os.write", lambda fd, data: next(failing)(fd, data))
        with pytest.raises(DiskFull, match="No space left"):
            log.append("amp", "marker", "S  2")
        monkeypatch.undo()
        log.append("amp", "marker", "S  2")
    read = read_events(log.path)
    assert [(e.sequence, e.value) for e in read.events] == [(1, "S  1"), (2, "S  2")]
    assert read.problems == ()


def test_a_failed_event_shows_as_a_jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        log.append("amp", "marker", "S  1")
        write = durable.os.write
        failing = iter([lambda fd, data: write(fd, data[:5]), raise_broken])
        monkeypatch.setattr("os.write", lambda fd, data: next(failing)(fd, data))
        with pytest.raises(RecordingError, match="Input/output error"):
            log.append("amp", "marker", "S  2")
        monkeypatch.undo()
        log.append("amp", "marker", "S  3")
    read = read_events(log.path)
    assert [event.value for event in read.events] == ["S  1", "S  3"]
    assert read.problems == (
        "line 2: it does not end with its checksum",
        "rig goes from line 1 to its line 3",
    )


def raise_full(*_: object) -> int:
    raise OSError(28, "No space left on device")


def raise_broken(*_: object) -> int:
    raise OSError(5, "Input/output error")
