"""Recorders of several rigs, told the same two instants at different times: one window."""

import asyncio
import math
import time
from pathlib import Path

import numpy as np
import pytest

from rigctl.peers.orders import Attach, Begin, Ended, Finish, Opened, Progress
from rigctl.recording.reader import StreamReader, open_stream
from rigctl.recording.session import Session
from rigctl.recording.verify import verify
from rigctl.streams import RingReader
from tests.recording.making import REF, make_session
from tests.workers.conftest import Workers
from tests.workers.listening import Listener

RATE = 1000
BLOCKS_S = (0.01, 0.023, 0.05)
LATE_S = 0.05
"""By how much a machine under load may delay all blocks of a source."""


def simulated(block_s: float, channels: int = 2) -> dict[str, object]:
    return {"channels": channels, "rate": RATE, "dtype": "int16", "block_s": block_s, "markers": 0}


async def ring_of(source: Listener) -> str:
    return (await source.until(Opened)).ring


async def reached(source: Listener, instant_s: float) -> None:
    """Wait until the source's ring has got to an instant."""
    with RingReader.attach(await ring_of(source)) as ring:
        there = await asyncio.to_thread(
            ring.await_change, lambda: ring.position_at(instant_s) is not None, 20
        )
    assert there


def intact(session: Session, folder: str = "amp") -> StreamReader:
    assert verify(session.path).problems == []
    return open_stream(session.path / folder)


def taken_s(stream: StreamReader, sample: int) -> float:
    """When a sample was taken, by the recording's own index."""
    stops = stream.index["first"] + stream.index["count"]
    return float(np.min(stream.index["arrival_s"] - stops / RATE)) + (sample + 1) / RATE


@pytest.mark.parametrize("order", ["early", "late"])
async def test_rigs_that_are_told_the_same_instants_record_the_same_window(
    workers: Workers, tmp_path: Path, order: str
) -> None:
    sources = [await workers.source("simulated", **simulated(block_s)) for block_s in BLOCKS_S]
    recorders = [await workers.recorder() for _ in sources]
    sessions = [make_session(tmp_path / str(number)) for number in range(len(sources))]
    await asyncio.gather(*(reached(source, time.monotonic()) for source in sources))
    start_s = time.monotonic() + 1.0  # by then there are enough blocks to have some prompt ones
    stop_s = start_s + 0.7004
    ended = await asyncio.gather(
        *(
            record(recorder, session, source, start_s, stop_s, number * 0.3, order)
            for number, (recorder, session, source) in enumerate(
                zip(recorders, sessions, sources, strict=True)
            )
        )
    )
    for session, end in zip(sessions, ended, strict=True):
        stream = intact(session)
        samples = len(stream.samples)
        assert abs(samples - 700.4) <= 1
        assert -0.001 < taken_s(stream, 0) - start_s < 1 / RATE + LATE_S
        assert -0.001 < taken_s(stream, samples) - stop_s < 1 / RATE + LATE_S
        start, stop = end.streams["amp"].positions["amp"]
        assert start is not None
        assert stop is not None
        assert (math.ceil(start), math.ceil(stop)) == (0, samples)
        assert stop - start == pytest.approx(700.4, abs=1)


async def record(
    recorder: Listener,
    session: Session,
    source: Listener,
    start_s: float,
    stop_s: float,
    late_s: float,
    order: str,
) -> Ended:
    begin = Begin(str(session.path), str(REF), {"amp": await ring_of(source)}, start_s)
    if order == "late":
        await reached(source, start_s + late_s)
    recorder.worker.send(begin)
    if order == "late":
        await reached(source, stop_s + late_s)
    recorder.worker.send(Finish(stop_s))
    return await recorder.until(Ended)


async def test_a_source_that_is_started_again_before_the_end_goes_on(
    workers: Workers, session: Session
) -> None:
    recorder, first = await workers.recorder(), await workers.source("simulated", **simulated(0.01))
    await reached(first, time.monotonic())
    start_s = time.monotonic()
    recorder.worker.send(Begin(str(session.path), str(REF), {"amp": await ring_of(first)}, start_s))
    await recorder.until(Progress, lambda told: told.streams["amp"].samples > 100)
    stop_s = time.monotonic() + 3
    recorder.worker.send(Finish(stop_s))
    await first.stop()
    second = await workers.source("simulated", **simulated(0.01))
    recorder.worker.send(Attach("amp", await ring_of(second)))
    ended = await recorder.until(Ended)
    stream = intact(session)
    begun = [marker.position for marker in stream.markers if marker.type == "New Segment"]
    assert len(begun) == 2
    assert [gap.position for gap in stream.gaps] == begun[1:]
    last = stream.index[stream.index["first"] >= begun[1]]
    ends = last["arrival_s"] - (last["first"] + last["count"]) / RATE
    assert abs(float(np.min(ends)) + (len(stream.samples) + 1) / RATE - stop_s) < LATE_S
    assert ended.streams["amp"].positions["amp"][1] is not None


async def test_streams_of_one_rig_share_the_window(workers: Workers, session: Session) -> None:
    recorder = await workers.recorder()
    amp = await workers.source("simulated", **simulated(0.01))
    camera = await workers.source(
        "simulated", stream="camera", shape=[4, 6], rate=50, dtype="uint8", markers=0
    )
    for source in (amp, camera):
        await reached(source, time.monotonic())
    start_s = time.monotonic()
    rings: dict[str, str | None] = {"amp": await ring_of(amp), "camera": await ring_of(camera)}
    recorder.worker.send(Begin(str(session.path), str(REF), rings, start_s))
    recorder.worker.send(Finish(start_s + 1.01))
    ended = await recorder.until(Ended)
    assert abs(len(intact(session).samples) - 1010) <= 1
    assert abs(len(intact(session, "camera").samples) - 50.5) <= 1
    assert set(ended.streams["amp"].positions) == {"amp"}
    assert set(ended.streams["camera"].positions) == {"camera"}


async def test_an_end_at_once_is_answered_once_though_a_later_one_was_ordered(
    workers: Workers, session: Session
) -> None:
    recorder, source = (
        await workers.recorder(),
        await workers.source("simulated", **simulated(0.01)),
    )
    recorder.worker.send(Begin(str(session.path), str(REF), {"amp": await ring_of(source)}))
    await recorder.until(Progress, lambda told: told.streams["amp"].samples > 100)
    recorder.worker.send(Finish(time.monotonic() + 1000))
    recorder.worker.send(Finish())
    ended = await recorder.until(Ended)
    assert ended.session == str(session.path)
    assert len(intact(session).samples) == ended.streams["amp"].samples
    await recorder.stop()
    assert recorder.all(Ended) == [ended]
