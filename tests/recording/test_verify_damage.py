"""Every flipped bit and every truncation of a whole session is found, sealed or not.

One place in every `STRIDE` bytes here, each time another of its bits; `benchmarks/damage.py`
takes all bits and all lengths.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.damage import make, unseen_bits, unseen_cuts
from rigctl.recording import layout, verify_stream
from rigctl.recording.events import EventLog
from rigctl.recording.manifest import inventory, seal
from rigctl.recording.recover import recover
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.recording import making, rolled

STRIDE = 19


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody cuts the power in these tests."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None)
    yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path)


def test_flipped_bits_and_truncations_of_a_sealed_session_are_found(path: Path) -> None:
    seal(Session.open(path))
    for name in [*inventory(path), layout.MANIFEST]:
        assert unseen_bits(path, name, STRIDE * 8 + 1) == [], name
        assert unseen_cuts(path, name, STRIDE) == [], name
    assert verify(path).ok


def test_flipped_bits_are_found_before_the_seal(path: Path) -> None:
    for name in inventory(path):
        if name != layout.LOG:
            assert unseen_bits(path, name, STRIDE * 8 + 1) == [], name
    assert verify(path).ok


def test_flipped_bits_of_further_parts_are_found_before_the_seal(tmp_path: Path) -> None:
    """Of the time in the marker with which a further part begins nothing else tells."""
    session = making.make_session(tmp_path)
    with EventLog(session.path / layout.EVENTS) as events:
        rolled.record(session, events, blocks=3).close()
    for name in ("data.vhdr", "data.vmrk", "data_0002.vhdr", "data_0002.vmrk"):
        text = (session.path / "amp" / name).read_bytes()
        began = re.search(rb"roll-over,1,1,0,(\d{20})", text)
        times = range(began.start(1) * 8, began.end(1) * 8) if began else range(0)
        unseen = unseen_bits(session.path, f"amp/{name}", STRIDE * 4 + 1)
        assert set(unseen) <= set(times), name
    assert verify(session.path).ok


def test_a_part_that_was_only_ready_and_goes_meanwhile_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = making.make_session(tmp_path)
    with EventLog(session.path / layout.EVENTS) as events:
        writer = rolled.record(session, events, blocks=2)
        writer.sync()
        assert "data_0002.eeg" in rolled.names(writer), "it is ready"
        walk = verify_stream.index.walk

        def ending(data: bytes, frame_bytes: int) -> verify_stream.index.Walk:
            writer.close()
            return walk(data, frame_bytes)

        monkeypatch.setattr(verify_stream.index, "walk", ending)
        assert verify(session.path).problems == []


def test_truncations_are_found_before_the_seal_but_at_the_ends_of_lines(path: Path) -> None:
    """What is gone from the end of the markers comes back from the events at the seal."""
    for name in inventory(path):
        data = (path / name).read_bytes()
        ends = {0, *(at + 1 for at, byte in enumerate(data) if byte == ord("\n"))}
        unseen = unseen_cuts(path, name, STRIDE) if name != layout.LOG else []
        lines = name.endswith((".vmrk", ".jsonl"))
        assert set(unseen) <= (ends if lines else set()), name
    assert verify(path).ok


def test_events_that_are_gone_show_by_the_markers(path: Path) -> None:
    events = path / layout.EVENTS
    lines = events.read_bytes().splitlines(keepends=True)
    marker = max(number for number, line in enumerate(lines) if b'"source":"amp"' in line)
    events.write_bytes(b"".join(lines[:marker]))
    assert "1 markers are not those of events.jsonl" in " ".join(verify(path).problems)
    recover(path)
    assert verify(path).ok, "a recovery has looked at it, and keeps the marker"


def test_a_header_with_another_text_is_found_before_the_seal(path: Path) -> None:
    vhdr = path / "amp/data.vhdr"
    vhdr.write_bytes(vhdr.read_bytes().replace(b"; microseconds", b"; milliseconds"))
    assert verify(path).problems == [
        "amp/data.vhdr: was changed, though it still means what stream.json does"
    ]


def test_a_stream_whose_markers_are_written_meanwhile_is_intact(path: Path) -> None:
    """Events first, then the marker file: more events than markers are no damage."""
    vmrk = path / "amp/data.vmrk"
    lines = vmrk.read_bytes().splitlines(keepends=True)
    vmrk.write_bytes(b"".join(lines[:-1]))
    assert verify(path).ok
    vmrk.write_bytes(b"".join(lines[:-1]) + lines[-1][:-1])
    assert verify(path).problems == ["amp/data.vmrk: a torn end, its last line is not whole"]


def test_making_makes_what_verifies(path: Path) -> None:
    assert verify(path).problems == []
    assert (path.name, path.parent.name) == ("eeg", f"{making.REF.sequence:03}")
