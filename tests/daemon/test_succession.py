"""Workers that are killed while a session runs: others follow, and what is lost is told."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rigctl.daemon import sources, succession
from rigctl.daemon.health import RecorderLife, conditions
from rigctl.daemon.streams import StreamState
from rigctl.daemon.succession import MOST, WITHIN_S, Succession
from rigctl.errors import RecordingError
from rigctl.messages import Status
from rigctl.peers.orders import Opened
from rigctl.rda.layout import exact_rate
from rigctl.rda.synthetic import signal_layout
from rigctl.recording.reader import open_stream
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from tests.daemon.test_recording import RIG, Desk, desk_of
from tests.recording.making import REF
from tests.workers.shown import Shown

KILLS = int(os.environ.get("RIGCTL_TEST_KILLS", "2"))
"""Of each process, in random places; `tests/workers/test_killed_track.py` kills at every write."""
RATE, POINTS = 2000, 20
AMP = f"device: simulated, channels: 3, rate: {RATE}, block_s: 0.01, markers: 0.05, dtype: int16"
LAYOUT = signal_layout(3, exact_rate(RATE), "int16")
check = Shown(LAYOUT, POINTS, 20).check


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.yaml"
    own = "device: simulated, channels: 2, rate: 1000, block_s: 0.01, markers: 0"
    path.write_text(RIG.replace(own, AMP).replace("ring: 20", "ring: 120"))
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data" / REF.folder / "eeg"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are started anew without a pause, and as often as it takes."""
    monkeypatch.setattr(succession, "MOST", 10 * KILLS)
    monkeypatch.setattr(succession, "_FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(sources, "_FIRST_PAUSE_S", 0.0)


def recorder_pid(desk: Desk) -> int:
    worker = desk.recording.recorder._worker
    assert worker
    return worker.pid


def pid_in(opened: Opened) -> int:
    """The name of a ring tells whose it is."""
    return int(opened.ring.split("-")[-2])


async def until(
    desk: Desk, fits: Callable[[StreamState], bool], name: str = "amp", within_s: float = 20
) -> None:
    """Wait until what is known of a stream fits."""
    async with asyncio.timeout(within_s):
        while not fits(desk.streams[name]):
            desk.changed.clear()
            await desk.changed.wait()


async def another_than(desk: Desk, pid: int) -> None:
    """Wait until another source has a ring."""
    await until(desk, lambda amp: amp.opened is not None and pid_in(amp.opened) != pid)


async def told(desk: Desk, text: str) -> None:
    await until(desk, lambda amp: text in amp.counts.failure)


async def recovered(desk: Desk) -> None:
    await until(desk, lambda amp: not amp.counts.failure)


def words(desk: Desk) -> list[str]:
    reports = {name: stream.report() for name, stream in desk.streams.items()}
    life = RecorderLife(0.1, desk.recording.recorder.silent_s)
    return [one.reason for one in conditions(Status.RUNNING, reports, life)]


@pytest.mark.usefixtures("at_once")
async def test_a_recorder_killed_in_many_random_places_loses_nothing(
    rig_file: Path, place: Path
) -> None:
    dice = random.Random(7)
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        for kill in range(KILLS):
            counts = desk.streams["amp"].counts
            await desk.until_received(desk.streams["amp"].report().received + dice.randint(1, 200))
            os.kill(recorder_pid(desk), signal.SIGKILL)
            await told(desk, "exit code -9")
            assert any("another one is to go on" in text for text in words(desk))
            await recovered(desk)
            if kill % 2:  # else the next one may come before it has recorded anything
                await until(desk, lambda amp: amp.counts.interruption is not None)
                desk.recording.see(())
            assert desk.streams["amp"].counts.samples >= counts.durable_samples
        await desk.until_samples(desk.streams["amp"].report().received)
        record = await desk.end_and_seal()
    stream = open_stream(place / "amp")
    check(stream, 0, len(stream.samples))
    assert stream.gaps == []
    assert [m.position for m in stream.markers if m.type == "New Segment"] == [0]
    kept = [e for e in record.episodes if "nothing is missing before sample" in e.detail]
    assert len(kept) >= KILLS // 2
    assert record.streams["amp"].failure == ""


@pytest.mark.usefixtures("at_once")
async def test_a_source_killed_in_many_random_places_costs_gaps_that_the_clock_measures(
    rig_file: Path, place: Path
) -> None:
    dice = random.Random(8)
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        for _ in range(KILLS):
            opened = desk.streams["amp"].opened
            assert opened
            pid = pid_in(opened)
            await desk.until_received(dice.randint(1, 200))
            os.kill(pid, signal.SIGKILL)
            await another_than(desk, pid)
        await desk.until_received(100)
        await desk.until_samples(desk.streams["amp"].counts.samples + 100)
        await desk.end_and_seal()
    stream = open_stream(place / "amp")
    begun = [m.position for m in stream.markers if m.type == "New Segment"]
    assert begun[0] == 0
    assert [gap.position for gap in stream.gaps] == begun[1:]
    assert max(KILLS - 2, 1) <= len(stream.gaps) <= KILLS  # some may have sent nothing
    for begin, end in zip(begun, [*begun[1:], len(stream.samples)], strict=True):
        check(stream, begin, end)
    lasted_s = float(stream.index[-1]["arrival_s"] - stream.index[0]["arrival_s"])
    missing = sum(gap.missing for gap in stream.gaps)
    first = int(stream.index[0]["count"])
    assert len(stream.samples) - first + missing == pytest.approx(lasted_s * RATE, abs=RATE / 2)


async def test_a_recorder_that_is_lost_again_and_again_is_not_followed_for_ever(
    rig_file: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession, "MOST", 1)
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        os.kill(recorder_pid(desk), signal.SIGKILL)
        await told(desk, "another one is to go on")
        await recovered(desk)
        os.kill(recorder_pid(desk), signal.SIGKILL)
        await told(desk, "is not started again")
        with pytest.raises(RecordingError, match="is not started again"):
            await desk.recording.end()
        await desk.recording.seal()
    report = verify(place, full=True)
    assert report.sealed
    assert any("not all was recorded" in problem for problem in report.problems)
    assert all("not all was recorded" in problem for problem in report.problems)


async def test_a_stop_while_the_recorder_is_lost_ends_with_the_window(
    rig_file: Path, place: Path
) -> None:
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.until_samples(200)
        os.kill(recorder_pid(desk), signal.SIGKILL)
        await told(desk, "exit code -9")
        record = await desk.end_and_seal()
    stream = open_stream(place / "amp")
    check(stream, 0, len(stream.samples))
    assert record.state == "STOPPED"
    assert Session.open(place).record.streams["amp"].failure == ""


async def never() -> None:
    raise RecordingError("the disk is gone")


async def test_restarts_are_bounded_and_come_later_and_later() -> None:
    said: list[str] = []
    now = Succession(never, said.append)
    pauses = [now._pause_s(float(n)) for n in range(MOST + 1)]
    assert pauses == [0.0, 0.25, 0.5, 1.0, 2.0, None]
    assert now._pause_s(MOST + 1 + WITHIN_S) == 0.0


async def test_of_a_session_before_none_is_about_to_begin() -> None:
    row = Succession(asyncio.Event().wait, str)  # type: ignore[arg-type]
    row.begin()
    assert row.is_under_way
    row.reset()
    assert not row.is_under_way  # or the new session's order to begin would be kept for it
    await row.close()


async def test_what_keeps_a_recorder_from_going_on_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "_FIRST_PAUSE_S", 0.0)
    said = asyncio.get_running_loop().create_future()
    row = Succession(never, said.set_result)
    row.begin()
    assert "6 times within 60 s and is not started again: the disk is gone" in await said
    await row.close()


@pytest.mark.usefixtures("at_once")
async def test_a_seal_that_overtakes_a_stop_ends_with_its_window_nevertheless(
    rig_file: Path, place: Path
) -> None:
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.until_samples(200)
        stop_s, received = time.monotonic(), desk.streams["amp"].report().received
        os.kill(recorder_pid(desk), signal.SIGSTOP)  # it takes no order any more
        with pytest.raises(RecordingError, match="has not closed its files"):
            await desk.recording.end(0.01, stop_s)
        await desk.until_received(desk.streams["amp"].report().received + RATE)
        os.kill(recorder_pid(desk), signal.SIGKILL)
        await desk.recording.seal()
    stream = open_stream(place / "amp")
    end = int(stream.index[0]["counter"]) * POINTS + len(stream.samples)
    assert end < received + RATE // 2
    check(stream, 0, len(stream.samples))
