"""The recorder process beside real sources: what came is on disk, bit for bit, whoever dies."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from rigctl.blocks import BlockFlags
from rigctl.peers.former import boot
from rigctl.peers.orders import Attach, Begin, Counts, Ended, Finish, Note, Opened, Progress, Ready
from rigctl.rda.layout import exact_rate
from rigctl.rda.synthetic import signal_layout
from rigctl.recording.events import read_events
from rigctl.recording.layout import EVENTS
from rigctl.recording.manifest import seal
from rigctl.recording.reader import StreamReader, open_stream
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from rigctl.streams import RingReader, sweep
from tests.recording.making import REF, make_session
from tests.workers.conftest import Workers
from tests.workers.listening import Listener
from tests.workers.shown import Shown

RATE, POINTS = 5000, 50
SIMULATED = {"channels": 3, "rate": RATE, "dtype": "int16", "block_s": 0.01, "markers": 0.1}
LAYOUT = signal_layout(3, exact_rate(RATE), "int16")
check = Shown(LAYOUT, POINTS, 10).check


async def begin(recorder: Listener, session: Session, source: Listener | None) -> None:
    ring = (await source.until(Opened)).ring if source else None
    recorder.worker.send(Begin(str(session.path), str(REF), {"amp": ring}))


async def received(source: Listener, samples: int) -> int:
    """Wait until so many samples are in the source's ring; return how many there are."""
    with RingReader.attach((await source.until(Opened)).ring) as ring:
        assert await asyncio.to_thread(ring.wait, samples - 1, 10)
        return ring.head


async def durable(recorder: Listener, samples: int, stream: str = "amp") -> Counts:
    """Wait until so many samples are said to be durable."""

    def there_are(progress: Progress) -> bool:
        return progress.streams[stream].durable_samples >= samples

    return (await recorder.until(Progress, there_are)).streams[stream]


async def finish(recorder: Listener) -> Ended:
    after = len(recorder.told)
    recorder.worker.send(Finish())
    return await recorder.until(Ended, after=after)


def intact(session: Session, folder: str = "amp") -> StreamReader:
    report = verify(session.path)
    assert report.problems == []
    return open_stream(session.path / folder)


@pytest.fixture
def other_session(tmp_path: Path) -> Session:
    return make_session(tmp_path / "other")


async def test_a_source_is_recorded_bit_for_bit_and_sealed(
    workers: Workers, session: Session
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    before = await received(source, 500)
    await begin(recorder, session, source)
    await durable(recorder, 1000)
    ended = await finish(recorder)
    assert isinstance(recorder.told[0], Ready)
    stream = intact(session)
    check(stream)
    assert int(stream.index[0]["counter"]) * POINTS >= before  # from now on
    counts = ended.streams["amp"]
    assert counts.samples == counts.durable_samples == len(stream.samples) >= 1000
    assert counts.bytes == stream.samples.nbytes
    assert (counts.gaps, counts.missing_samples, counts.overruns, counts.failure) == (0, 0, 0, "")
    seal(session, ended.digests)
    assert set(ended.digests) == {"amp/data.eeg", "amp/data.idx"}
    assert verify(session.path, full=True).problems == []


async def test_start_and_stop_are_events_of_the_session(workers: Workers, session: Session) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    await begin(recorder, session, source)
    await durable(recorder, 1)
    counts = (await finish(recorder)).streams["amp"]
    events = [e for e in read_events(session.path / EVENTS).events if e.kind in ("start", "stop")]
    assert [(event.kind, event.value) for event in events] == [
        ("start", {"exp_ref": str(REF), "boot": boot()}),
        ("stop", {"samples": {"amp": counts.samples}}),
    ]


async def test_what_a_source_noticed_is_an_event_at_its_sample(
    workers: Workers, session: Session
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    await begin(recorder, session, source)
    await durable(recorder, 1)
    at = await received(source, 1)
    recorder.worker.send(Note("amp", "state", "paused", {"state": 6}, at))
    await finish(recorder)
    begun = int(intact(session).index[0]["counter"]) * POINTS
    (event,) = [e for e in read_events(session.path / EVENTS).events if e.kind == "state"]
    assert event.source == "amp"
    assert event.value == {"state": 6, "text": "paused", "sample": at - begun}


async def test_a_recorder_says_that_it_lives_however_seldom_it_flushes(
    workers: Workers, session: Session
) -> None:
    recorder = await workers.recorder(flush_s=3600)
    await begin(recorder, session, await workers.source("simulated", **SIMULATED))
    for _ in range(3):
        await recorder.until(Progress, after=len(recorder.told))
    await finish(recorder)


async def test_the_first_samples_are_told_without_waiting_for_a_flush(
    workers: Workers, session: Session
) -> None:
    recorder = await workers.recorder(flush_s=3600)
    await begin(recorder, session, await workers.source("simulated", **SIMULATED))
    assert (await durable(recorder, 1)).failure == ""
    await finish(recorder)
    check(intact(session))


async def test_a_ring_that_comes_later_is_recorded_from_its_first_sample(
    workers: Workers, session: Session
) -> None:
    recorder = await workers.recorder()
    await begin(recorder, session, None)
    source = await workers.source("simulated", **SIMULATED)
    await received(source, 500)
    recorder.worker.send(Attach("amp", (await source.until(Opened)).ring))
    await durable(recorder, 100)
    await finish(recorder)
    stream = intact(session)
    assert stream.index[0]["counter"] == 0
    check(stream)


async def test_a_source_that_is_killed_costs_only_what_it_did_not_send(
    workers: Workers, session: Session
) -> None:
    recorder, first = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    await begin(recorder, session, first)
    await durable(recorder, 500)
    with RingReader.attach((await first.until(Opened)).ring) as ring:
        os.kill(first.worker.pid, signal.SIGKILL)
        await first.ended()
        sent = ring.head
    sweep()
    second = await workers.source("simulated", **SIMULATED)
    recorder.worker.send(Attach("amp", (await second.until(Opened)).ring))
    await durable(recorder, sent + 1)
    ended = await finish(recorder)
    stream = intact(session)
    begun = [marker.position for marker in stream.markers if marker.type == "New Segment"]
    assert begun[0] == 0
    check(stream, 0, begun[1])
    assert int(stream.index[0]["counter"]) * POINTS + begun[1] == sent  # all that it had sent
    check(stream, begun[1])
    assert [gap.position for gap in stream.gaps] == begun[1:]
    assert (ended.streams["amp"].gaps, ended.streams["amp"].failure) == (1, "")


@pytest.mark.parametrize("half_an_order", [b"", b'{"type":"fin'], ids=["closed", "torn"])
async def test_when_the_daemon_is_gone_the_files_are_closed(
    workers: Workers, session: Session, half_an_order: bytes
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    await begin(recorder, session, source)
    await durable(recorder, 500)
    orders = recorder.worker._process.stdin
    assert orders
    orders.write(half_an_order)
    orders.close()
    assert await recorder.ended() == 0
    check(intact(session))
    stops = [e for e in read_events(session.path / EVENTS).events if e.kind == "stop"]
    assert len(stops) == 1
    assert len(recorder.all(Ended)) == 1


async def test_a_recorder_that_is_killed_leaves_what_was_durable(
    workers: Workers, session: Session
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    await begin(recorder, session, source)
    counts = await durable(recorder, 1000)
    os.kill(recorder.worker.pid, signal.SIGKILL)
    assert await recorder.ended() == -signal.SIGKILL
    stream = open_stream(session.path / "amp")
    assert len(stream.samples) >= counts.durable_samples
    check(stream, 0, int(stream.index[-1]["first"]))  # the markers of an append come after it
    assert source.worker.exit_code is None


async def test_signals_to_the_whole_group_do_not_end_a_recording(
    workers: Workers, session: Session
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    await begin(recorder, session, source)
    before = await durable(recorder, 1)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(recorder.worker.pid, number)
    await durable(recorder, before.samples + 500)
    assert recorder.worker.exit_code is None
    await finish(recorder)
    check(intact(session))


async def test_one_recorder_records_session_after_session(
    workers: Workers, session: Session, other_session: Session
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    for each in (session, other_session):
        recorder.told.clear()
        await begin(recorder, each, source)
        await durable(recorder, 200)
        await finish(recorder)
    check(intact(session))
    check(intact(other_session))


async def test_a_session_that_is_not_finished_is_when_the_next_begins(
    workers: Workers, session: Session, other_session: Session
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    await begin(recorder, session, source)
    await durable(recorder, 200)
    await begin(recorder, other_session, source)
    await recorder.until(Ended)
    check(intact(session))
    recorder.told.clear()
    await durable(recorder, 1)
    await finish(recorder)
    check(intact(other_session))


async def test_several_streams_are_recorded_beside_each_other(
    workers: Workers, session: Session
) -> None:
    recorder = await workers.recorder()
    amp = await workers.source("simulated", **SIMULATED)
    camera = await workers.source(
        "simulated", stream="camera", shape=[4, 6], rate=200, dtype="uint8", markers=0
    )
    rings = {"amp": (await amp.until(Opened)).ring, "camera": (await camera.until(Opened)).ring}
    recorder.worker.send(Begin(str(session.path), str(REF), rings))
    await durable(recorder, 500)
    await durable(recorder, 20, "camera")
    ended = await finish(recorder)
    check(intact(session))
    frames = intact(session, "camera").samples
    assert frames.shape == (ended.streams["camera"].samples, 4, 6)
    np.testing.assert_array_equal(frames[4:], frames[:-4])  # the picture has 4 rows and moves on


async def test_a_source_of_another_layout_goes_on_in_a_folder_of_its_own(
    workers: Workers, session: Session
) -> None:
    recorder, first = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    await begin(recorder, session, first)
    await durable(recorder, 100)
    with RingReader.attach((await first.until(Opened)).ring) as ring:
        await first.stop()
        sent = ring.head
    second = await workers.source("simulated", **SIMULATED | {"channels": 2})
    recorder.worker.send(Attach("amp", (await second.until(Opened)).ring))
    await durable(recorder, sent + 1)
    await finish(recorder)
    check(intact(session))
    other = intact(session, "amp.2")
    assert other.info.shape == (2,)
    assert other.index[0]["flags"] == BlockFlags.START


async def test_a_folder_that_cannot_be_written_is_said_and_harms_no_later_session(
    workers: Workers, session: Session, tmp_path: Path
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    ring = (await source.until(Opened)).ring
    recorder.worker.send(Begin(str(tmp_path / "nowhere"), str(REF), {"amp": ring}))
    failed = await recorder.until(Progress)
    assert "No such file or directory" in failed.streams["amp"].failure
    assert (await finish(recorder)).streams == {}
    await begin(recorder, session, source)
    await durable(recorder, 100)
    assert (await finish(recorder)).streams["amp"].failure == ""
    check(intact(session))


async def test_one_stream_that_fails_does_not_stop_the_others(
    workers: Workers, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = await workers.recorder(flush_s=3600)
    ring = (await (await workers.source("simulated", **SIMULATED)).until(Opened)).ring
    streams: dict[str, str | None] = {"amp": ring, "derived": ring}
    recorder.worker.send(Begin(str(session.path), str(REF), streams))
    await recorder.until(Progress, lambda progress: bool(progress.streams["derived"].failure))
    await durable(recorder, 1)
    ended = await finish(recorder)
    assert "'derived' cannot be a stream's name" in ended.streams["derived"].failure
    assert ended.streams["amp"].failure == ""
    check(intact(session))
    said = [record for record in caplog.records if "recording failed" in record.getMessage()]
    assert [(record.name, record.levelname) for record in said] == [("rigctl.peers.track", "ERROR")]


async def test_an_order_that_is_none_is_passed_over(
    workers: Workers, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, source = await workers.recorder(), await workers.source("simulated", **SIMULATED)
    orders = recorder.worker._process.stdin
    assert orders
    orders.write(b'{"type":"dance"}\n\xff\n')
    await begin(recorder, session, source)
    await durable(recorder, 1)
    await finish(recorder)
    check(intact(session))
    assert caplog.text.count("an order that cannot be read") == 2


async def test_finishing_what_never_began_is_answered(workers: Workers) -> None:
    assert await finish(await workers.recorder()) == Ended({}, {})
