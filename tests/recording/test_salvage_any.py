"""Salvage, whatever was recorded and whatever happened to it: all that is intact, and nothing else.

What is intact is known by construction: a block whose samples and whose index record are untouched.
"""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rigctl.blocks import BlockFlags, Marker
from rigctl.errors import RecordingError
from rigctl.recording import index, layout
from rigctl.recording.events import Event, EventLog, parse_events
from rigctl.recording.manifest import seal
from rigctl.recording.reader import open_stream
from rigctl.recording.recover import recover
from rigctl.recording.salvage import salvage
from rigctl.recording.session import Session
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import verify
from tests.recording import making

INFO = making.signal("int16")
NAMES = ("amp/data.eeg", "amp/data.idx", "events.jsonl", "amp/data.vmrk", "session.json")

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 9)),
        st.tuples(st.just("fill"), st.integers(1, 5)),
        st.tuples(st.just("segment"), st.integers(0, 20)),
    ),
    min_size=1,
    max_size=9,
)
"""What a recorder does."""
DAMAGES = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.sampled_from(NAMES), st.floats(0, 1), st.integers(0, 7)),
        st.tuples(st.just("wipe"), st.sampled_from(NAMES), st.floats(0, 1), st.integers(1, 150)),
        st.tuples(st.just("cut"), st.sampled_from(NAMES), st.floats(0, 1), st.just(0)),
    ),
    max_size=4,
)
"""What happens to its files, places as parts of their size."""
AFTER = st.sampled_from(["killed", "sealed", "recovered"])


@dataclass
class Recorded:
    """A session as it was recorded."""

    path: Path
    files: dict[str, bytes]
    blocks: list[tuple[int, bytes, bool]] = field(default_factory=list)
    """Of each append: its first sample, its samples, whether they stand in."""

    def intact_blocks(self) -> Iterator[int]:
        """Yield the numbers of the blocks that nothing touched."""
        data, idx = self._now("amp/data.eeg"), self._now("amp/data.idx")
        for number, (first, samples, _) in enumerate(self.blocks):
            at = first * INFO.frame_bytes
            record = self.files["amp/data.idx"][number * 64 : number * 64 + 64]
            if data[at : at + len(samples)] == samples and _at(idx, number * 64) == record:
                yield number

    def intact_lines(self) -> set[bytes]:
        """Return the lines of the events that nothing touched."""
        before, now = self.files[layout.EVENTS], self._now(layout.EVENTS)
        found, at = set(), 0
        for line in before.splitlines(keepends=True):
            if now[at : at + len(line)] == line:
                found.add(line)
            at += len(line)
        return found

    def _now(self, name: str) -> bytes:
        return (self.path / name).read_bytes()


def _at(data: bytes, at: int) -> bytes:
    return data[at : at + 64]


def record(root: Path, actions: list[tuple[str, int]], sealed: bool) -> Recorded:
    session = making.make_session(root)
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        folder = session.path / "amp"
        with StreamWriter.create(folder, INFO, name="amp", events=events) as writer:
            writer.new_segment(making.WHEN)
            for number, (what, count) in enumerate(actions):
                if what == "append":
                    # Never what a gap is filled with: that cannot be told from one.
                    samples = making.frames(INFO, count, number) | 1
                    writer.append(samples, counter=number, arrival_s=number)
                    writer.mark(Marker(writer.samples - 1, "Stimulus", f"S{number}"))
                elif what == "fill":
                    writer.fill(count, counter=number, arrival_s=number)
                else:
                    writer.new_segment(making.WHEN, lost=True, missing=count)
    if sealed:
        seal(session)
    files = {name: (session.path / name).read_bytes() for name in NAMES}
    recorded = Recorded(session.path, files)
    data = files["amp/data.eeg"]
    for entry in np.frombuffer(files["amp/data.idx"], index.RECORD):
        at, size = int(entry["offset"]), int(entry["count"]) * INFO.frame_bytes
        filled = bool(int(entry["flags"]) & BlockFlags.FILLED)
        recorded.blocks.append((int(entry["first"]), data[at : at + size], filled))
    return recorded


def damage(path: Path, kind: str, place: float, extent: int) -> None:
    data = bytearray(path.read_bytes())
    at = int(place * len(data))
    if kind == "cut":
        del data[at:]
    elif kind == "wipe":
        data[at : at + extent] = bytes(len(data[at : at + extent]))
    elif at < len(data):
        data[at] ^= 1 << extent
    path.write_bytes(data)


@pytest.fixture(autouse=True, scope="module")
def fast_disk() -> Iterator[None]:
    """Nobody cuts the power in these tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("os.fsync", "os.fdatasync"):
            patch.setattr(name, lambda _: None)
        yield


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(ACTIONS, DAMAGES, AFTER)
def test_all_that_is_intact_is_salvaged_and_nothing_else(
    actions: list[tuple[str, int]], damages: list[tuple[str, str, float, int]], after: str
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        recorded = record(root, actions, after == "sealed")
        for kind, name, place, extent in damages:
            damage(recorded.path / name, kind, place, extent)
        blocks, lines = list(recorded.intact_blocks()), recorded.intact_lines()
        if after == "recovered":
            try:
                recover(recorded.path)
            except RecordingError:
                pass  # it refuses what is not a torn end; salvage does not
        before = making.tree(recorded.path)
        try:
            target = salvage(recorded.path).target
        except RecordingError as error:
            assert "nothing in it is intact" in str(error)
            assert not any(not recorded.blocks[n][2] for n in blocks) and not lines
            return
        finally:
            assert making.tree(recorded.path) == before
        check(recorded, Path(target or recorded.path), blocks, lines)
    finally:
        shutil.rmtree(root)


def check(recorded: Recorded, target: Path, blocks: list[int], lines: set[bytes]) -> None:
    assert verify(target, full=True).problems == []
    assert Session.open(target).record.reference == str(making.REF)
    read = open_stream(target / "amp")
    known = {(first, samples): number for number, (first, samples, _) in enumerate(recorded.blocks)}
    found = set()
    for entry in read.index:
        at, count = int(entry["first"]), int(entry["count"])
        samples = read.samples[at : at + count].tobytes()
        filled = bool(int(entry["flags"]) & BlockFlags.FILLED)
        if filled:
            assert not any(samples)
        else:  # nothing but what was recorded, where it was recorded
            assert (at, samples) in known
        if (at, samples) in known:
            found.add(known[at, samples])
    # Which of the stand-ins is the recording's own is of no concern.
    assert {n for n in blocks if not recorded.blocks[n][2]} <= found
    check_events(target, lines)
    standing = {(marker.description, marker.position) for marker in read.markers}
    for event in filter(_is_stimulus, map(_event, lines)):
        position = event.value["position"]
        assert position >= len(read.samples) or (event.value["description"], position) in standing


def check_events(target: Path, lines: set[bytes]) -> None:
    now = parse_events((target / layout.EVENTS).read_bytes())
    assert now.problems == ()
    salvaged = [(event.unix_s, event.kind, event.value) for event in now.events]
    for event in map(_event, lines):
        assert (event.unix_s, event.kind, event.value) in salvaged


def _event(line: bytes) -> Event:
    return parse_events(line).events[0]


def _is_stimulus(event: Event) -> bool:
    return event.kind == "marker" and event.value["type"] == "Stimulus"
