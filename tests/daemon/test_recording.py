"""A rig's recording with its real workers: its window, its way over a crash, what is on record."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rigctl.config.rig import load_rig
from rigctl.daemon import opening, recording
from rigctl.daemon.recording import Recording
from rigctl.daemon.recovery import last_recorded_unix_s
from rigctl.daemon.sources import Sources
from rigctl.daemon.streams import StreamState
from rigctl.errors import RecordingError, SessionNotFound, StreamError
from rigctl.recording.manifest import seal
from rigctl.recording.reader import StreamReader, open_stream
from rigctl.recording.recover import recover
from rigctl.recording.session import ClockOffset, Session, SessionRecord
from rigctl.recording.verify import verify
from tests.recording.making import REF

RIG = """
name: eeg
listen: udp://127.0.0.1:0
data_root: data
flush: 0.1
sources:
  amp: {device: simulated, channels: 2, rate: 1000, block_s: 0.01, markers: 0, ring: 20}
"""


@dataclass
class Desk:
    """A rig without its daemon."""

    recording: Recording
    sources: Sources
    streams: dict[str, StreamState]
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def make(cls, path: Path) -> "Desk":
        config = load_rig(path)
        streams = {
            name: StreamState(entry, recorded=True) for name, entry in config.sources.items()
        }
        changed = asyncio.Event()
        recording = Recording(config, streams, changed.set)
        return cls(recording, Sources(config, streams, recording, changed.set), streams, changed)

    async def open(self) -> None:
        await asyncio.gather(self.sources.open(), self.recording.open())

    async def close(self) -> None:
        await self.sources.close()
        await self.recording.recorder.close()

    async def crash(self) -> None:
        """End as a daemon that is killed: its recorder is killed here, and nothing is said."""
        worker = self.recording.recorder._worker
        assert worker
        os.kill(worker.pid, signal.SIGKILL)
        self.recording._close_log()
        await self.close()

    async def until_samples(self, samples: int) -> None:
        async with asyncio.timeout(20):
            while self.streams["amp"].counts.samples < samples:
                self.changed.clear()
                await self.changed.wait()

    async def until_received(self, samples: int) -> None:
        async with asyncio.timeout(20):
            while not (reader := self.streams["amp"]._reader):
                self.changed.clear()
                await self.changed.wait()
        assert await asyncio.to_thread(reader.wait, samples - 1, 20)

    async def end_and_seal(self, stop_s: float | None = None) -> SessionRecord:
        assert self.recording.session
        path = self.recording.session.path
        await self.recording.end(stop_s=stop_s)
        await self.recording.seal()
        report = verify(path, full=True)
        assert report.problems == []
        assert report.sealed
        return Session.open(path).record


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.yaml"
    path.write_text(RIG)
    return path


def configure(rig_file: Path, amp: str) -> None:
    own = "device: simulated, channels: 2, rate: 1000, block_s: 0.01, markers: 0"
    rig_file.write_text(RIG.replace(own, amp))


@contextlib.asynccontextmanager
async def desk_of(rig_file: Path) -> AsyncIterator[Desk]:
    desk = Desk.make(rig_file)
    try:
        await desk.open()
        yield desk
    finally:
        await desk.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data" / REF.folder / "eeg"


def amp(place: Path) -> StreamReader:
    return open_stream(place / "amp")


# --- window


async def test_a_session_holds_and_tells_its_window(rig_file: Path, place: Path) -> None:
    async with desk_of(rig_file) as desk:
        await desk.until_received(1500)
        start_s, before_s = time.monotonic() - 1, time.time()
        await desk.recording.begin(REF, 10, start_s)
        running = Session.open(place).record
        record = await desk.end_and_seal(start_s + 1.2504)
    assert running.window
    assert running.window.start_unix_s == pytest.approx(before_s - 1, abs=0.05)
    assert running.window.stop_unix_s is None
    window = record.window
    assert window
    assert window.stop_unix_s is not None
    assert window.start_unix_s == running.window.start_unix_s
    assert window.stop_unix_s - window.start_unix_s == pytest.approx(1.2504, abs=0.02)
    start, stop = window.positions["amp"]
    assert stop is not None
    samples = len(amp(place).samples)
    assert abs(samples - 1250) <= 5
    assert -1 < start <= 0
    assert samples - 1 < stop <= samples
    assert record.state == "STOPPED"


async def test_without_instants_all_is_recorded_and_no_position_is_told(
    rig_file: Path, place: Path
) -> None:
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.until_samples(100)
        record = await desk.end_and_seal()
    assert record.window
    assert record.window.positions == {}
    assert len(amp(place).samples) >= 100


async def test_a_start_in_the_future_is_waited_for_however_patient_the_controller_is(
    rig_file: Path, place: Path
) -> None:
    async with desk_of(rig_file) as desk:
        await desk.until_received(100)
        start_s = time.monotonic() + 0.8
        await desk.recording.begin(REF, 0.1, start_s)
        assert time.monotonic() >= start_s
        record = await desk.end_and_seal(start_s + 0.5)
    assert record.window
    assert abs(len(amp(place).samples) - 500) <= 5


async def test_a_stream_that_brings_nothing_by_the_start_fails_it(rig_file: Path) -> None:
    configure(rig_file, "device: rda, host: 127.0.0.1, port: 1")
    async with desk_of(rig_file) as desk:
        with pytest.raises(StreamError, match="no sample on disk within"):
            await desk.recording.begin(REF, 0.1, time.monotonic() - 1)
        await desk.recording.abandon("it failed")


# --- after a crash


async def test_samples_that_are_missing_at_the_end_are_on_record(rig_file: Path) -> None:
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.until_samples(100)
        await desk.sources.close()
        record = await desk.end_and_seal(stop_s=time.monotonic() + 0.5)
    assert any(
        one.source == "amp" and "samples before the stop" in one.detail for one in record.episodes
    )


async def test_a_session_goes_on_after_a_crash(rig_file: Path, place: Path) -> None:
    async with desk_of(rig_file) as desk:
        await desk.until_received(100)
        await desk.recording.begin(REF, 10, time.monotonic() - 0.05)
        desk.recording.note_clock(clock(time.time()))
        await desk.recording.save_episodes()
        await desk.until_samples(300)
        await desk.crash()
    kept = recover(place).streams["amp"].samples
    crashed = Session.open(place).record
    assert crashed.state == "RECOVERED"
    async with desk_of(rig_file) as desk:
        await desk.recording.resume(place, time.time())
        assert Session.open(place).record.state == "RUNNING"
        await desk.until_samples(kept + 200)
        desk.recording.see(())
        await desk.recording.save_episodes()
        told = Session.open(place).record
        record = await desk.end_and_seal()
    stream = amp(place)
    (gap,) = stream.gaps
    assert (gap.position, gap.filled) == (kept, 0)
    assert gap.missing > 0
    episodes = [episode for episode in record.episodes if "interrupted" in episode.detail]
    assert episodes == [episode for episode in told.episodes if "interrupted" in episode.detail]
    (episode,) = episodes
    assert (episode.condition, episode.source) == ("DEGRADED", "amp")
    assert f"about {gap.missing} samples are missing before sample {kept} of amp" in episode.detail
    assert episode.until_unix_s is not None
    lasted_s = episode.until_unix_s - episode.since_unix_s
    assert lasted_s == pytest.approx(gap.missing / 1000, abs=0.1)
    assert [e for e in record.episodes if e.condition == "RECOVERED"] == list(crashed.episodes)
    assert record.clock_offsets == crashed.clock_offsets
    assert record.window
    assert crashed.window
    assert record.window.start_unix_s == crashed.window.start_unix_s
    assert record.window.positions["amp"][0] == crashed.window.positions["amp"][0]
    assert record.window.stop_unix_s is not None
    assert record.state == "STOPPED"


async def test_what_was_the_case_when_it_crashed_has_ended_by_then(
    rig_file: Path, place: Path
) -> None:
    from_before = {"condition": "DEGRADED", "source": "amp", "since_unix_s": 1.0, "detail": "stall"}
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.crash()
    recover(place)
    session = Session.open(place)
    session.update(episodes=(*session.record.episodes, from_before))
    async with desk_of(rig_file) as desk:
        await desk.recording.resume(place, 77.0)
        record = await desk.end_and_seal()
    (stalled,) = [episode for episode in record.episodes if episode.detail == "stall"]
    assert (stalled.since_unix_s, stalled.until_unix_s) == (1.0, 77.0)


async def test_when_the_last_sample_was_taken_is_known_whoever_touched_its_files_since(
    rig_file: Path, place: Path
) -> None:
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.until_samples(200)
        await desk.crash()
    ended_s = time.time()
    recover(place)
    os.utime(place / "amp/data.idx", (ended_s + 60, ended_s + 60))
    assert last_recorded_unix_s(place, None) == pytest.approx(ended_s, abs=10)
    (place / "events.jsonl").unlink()  # of another start of the computer, for all one knows
    assert last_recorded_unix_s(place, 1e9) == 1e9
    (place / "amp/stream.json").write_text("damaged")
    assert last_recorded_unix_s(place, 1e9) == 1e9


async def test_what_is_no_session_is_not_resumed(rig_file: Path, tmp_path: Path) -> None:
    async with desk_of(rig_file) as desk:
        with pytest.raises(SessionNotFound):
            await desk.recording.resume(tmp_path / "nowhere", None)
        assert desk.recording.session is None


async def test_a_sealed_session_is_neither_resumed_nor_adopted(rig_file: Path, place: Path) -> None:
    await stopped(rig_file)
    seal(Session.open(place))
    async with desk_of(rig_file) as desk:
        with pytest.raises(RecordingError, match="is sealed: nothing is added"):
            await desk.recording.resume(place, None)
        with pytest.raises(RecordingError, match="is sealed: nothing is added"):
            desk.recording.adopt(place)
        assert desk.recording.session is None
    assert verify(place, full=True).problems == []


async def test_a_recorder_that_cannot_begin_shows(rig_file: Path, place: Path) -> None:
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.crash()
    recover(place)
    (place / "amp/stream.json").write_text("damaged")
    async with desk_of(rig_file) as desk:
        await desk.recording.resume(place, None)
        assert "stream.json" in desk.streams["amp"].counts.failure
        with contextlib.suppress(RecordingError):
            await desk.recording.end()


# --- adopt


async def stopped(rig_file: Path) -> None:
    """A session that was stopped, and not sealed because its daemon was killed."""
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.recording.end()
        await desk.crash()


async def test_a_stopped_session_is_adopted_and_sealed_as_it_is(
    rig_file: Path, place: Path
) -> None:
    await stopped(rig_file)
    before = Session.open(place).record
    desk = Desk.make(rig_file)
    desk.recording.adopt(place)
    told = desk.streams["amp"].report()
    assert told.samples == told.durable_samples == len(amp(place).samples) > 0
    assert told.durable_age_s is None
    assert desk.recording.session
    assert desk.recording.session.path == place
    await desk.recording.seal()
    assert desk.recording.session is None
    report = verify(place, full=True)
    assert (report.problems, report.sealed, report.state) == ([], True, "STOPPED")
    after = Session.open(place).record
    assert (after.window, after.episodes, after.streams) == (
        before.window,
        before.episodes,
        before.streams,
    )


async def test_an_adopted_session_that_is_torn_is_recovered_first(
    rig_file: Path, place: Path
) -> None:
    await stopped(rig_file)
    with (place / "amp/data.eeg").open("ab") as file:
        file.write(b"torn")
    desk = Desk.make(rig_file)
    desk.recording.adopt(place)
    await desk.recording.seal()
    assert (place / "amp/data.torn").read_bytes() == b"torn"
    report = verify(place, full=True)
    assert (report.problems, report.sealed, report.state) == ([], True, "RECOVERED")


# --- clocks


def clock(unix_s: float) -> ClockOffset:
    return ClockOffset(unix_s=unix_s, reference="desk", offset_s=0.001, bound_s=0.0002)


async def test_clock_samples_are_in_the_session_from_its_start_to_its_stop(
    rig_file: Path, place: Path
) -> None:
    now_s = time.time()
    samples = [clock(now_s + seconds) for seconds in (0, 3, 12, 13, 14)]
    async with desk_of(rig_file) as desk:
        desk.recording.note_clock(samples[0])  # with INIT, before there is a session
        await desk.recording.begin(REF, 10)
        started = Session.open(place).record.clock_offsets
        for sample in samples[1:]:
            desk.recording.note_clock(sample)
        await desk.recording.save_episodes()
        between = Session.open(place).record.clock_offsets
        record = await desk.end_and_seal()
    assert started == (samples[0],)
    assert between == (samples[0], samples[2])
    assert record.clock_offsets == (samples[0], samples[2], samples[4])


async def test_a_disk_that_hangs_does_not_hold_up_who_looks_at_the_streams(
    rig_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_SAVED_WITHIN_S", 0.01)
    async with desk_of(rig_file) as desk:
        answers, asked = asyncio.Event(), []

        async def save() -> None:
            asked.append(1)
            await answers.wait()

        monkeypatch.setattr(desk.recording._chronicle, "save", save)
        await desk.recording.save_episodes()
        await desk.recording.save_episodes()
        assert asked == [1]  # nor do more and more of them wait
        answers.set()
        monkeypatch.setattr(recording, "_SAVED_WITHIN_S", 10)
        await desk.recording.save_episodes()


async def test_a_ring_that_opens_while_the_session_is_prepared_is_recorded(tmp_path, monkeypatch):
    path = tmp_path / "eeg.yaml"
    path.write_text(RIG)
    desk = Desk.make(path)
    await desk.recording.open()
    loop, prepare = asyncio.get_running_loop(), opening.open_log

    def slowly(session):
        # Its source comes up just now, and has a ring before the recorder has begun.
        asyncio.run_coroutine_threadsafe(desk.sources.open(), loop).result()
        asyncio.run_coroutine_threadsafe(opened(), loop).result()
        return prepare(session)

    async def opened():
        while desk.streams["amp"].opened is None:
            desk.changed.clear()
            await desk.changed.wait()

    monkeypatch.setattr(opening, "open_log", slowly)
    try:
        await desk.recording.begin(REF, within_s=10.0)
        assert desk.streams["amp"].counts.durable_samples > 0
        await desk.recording.end()
    finally:
        await desk.recording.seal()
        await desk.close()
