"""A recorder whose disk fails or is slow, and a rig of several streams: each is told of truly."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rigctl.blocks import BlockFlags
from rigctl.daemon.health import STALL_S
from rigctl.errors import StreamError
from rigctl.rda.layout import exact_rate
from rigctl.rda.synthetic import SyntheticSource, Wave, signal_layout
from rigctl.recording.events import read_events
from rigctl.recording.layout import EVENTS
from rigctl.recording.reader import open_stream
from rigctl.recording.verify import verify
from tests.daemon.test_recording import desk_of
from tests.daemon.test_succession import until, words
from tests.recording.making import REF

_ROOT = Path(__file__).parents[2]
RATE, POINTS = 20_000, 200
LAYOUT = signal_layout(8, exact_rate(RATE), "int16")
FAST = f"device: simulated, channels: 8, rate: {RATE}, block_s: 0.01, dtype: int16, markers: 0"
RIG = """
name: eeg
listen: udp://127.0.0.1:0
data_root: data
flush: 0.1
sources:
  amp: {{{amp}}}
  eye: {{device: simulated, channels: 2, rate: 500, dtype: float64, markers: 0.1, required: false}}
  cam: {{device: simulated, shape: [6, 8], rate: 50, dtype: uint8, markers: 0}}
"""

Fault = Callable[..., None]


@pytest.fixture
def fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fault]:
    """Have the disk of worker processes be faulty from now on."""
    path = tmp_path / "fault.json"
    monkeypatch.setenv("RIGCTL_TEST_FAULT", str(path))
    folder = str(Path(__file__).with_name("faults"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([folder, str(_ROOT)]))

    def begin(**what: Any) -> None:
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(what))
        draft.replace(path)

    yield begin
    path.unlink(missing_ok=True)


def rig(folder: Path, amp: str) -> Path:
    path = folder / "rig.yaml"
    path.write_text(RIG.format(amp=amp))
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data" / REF.folder / "eeg"


async def test_streams_of_different_kinds_and_their_events_are_one_session(
    tmp_path: Path, place: Path
) -> None:
    async with desk_of(rig(tmp_path, FAST)) as desk:
        await desk.recording.begin(REF, 10)
        for name in ("amp", "eye", "cam"):
            await until(desk, lambda stream: stream.counts.samples > 30, name)
        record = await desk.end_and_seal()
    streams = {name: open_stream(place / name) for name in ("amp", "eye", "cam")}
    assert {name: stream.info.dtype for name, stream in streams.items()} == {
        "amp": "int16",
        "eye": "float64",
        "cam": "uint8",
    }
    assert streams["cam"].samples.shape[1:] == (6, 8)
    assert np.isfinite(streams["eye"].samples).all()
    assert [stream.gaps for stream in streams.values()] == [[], [], []]
    assert {one.failure for one in record.streams.values()} == {""}
    sources = {event.source for event in read_events(place / EVENTS).events}
    assert sources >= {"recorder", "amp", "eye", "cam"}


async def test_a_disk_that_fails_one_stream_is_told_at_once_and_the_others_go_on(
    tmp_path: Path, place: Path, fault: Fault
) -> None:
    number = errno.EROFS
    async with desk_of(rig(tmp_path, FAST)) as desk:
        await desk.recording.begin(REF, 10)
        await until(desk, lambda stream: stream.counts.samples > 0, "eye")
        fault(of="amp/data.*", error=number)
        await until(desk, lambda stream: bool(stream.counts.failure), within_s=STALL_S)
        (said,) = words(desk)
        assert os.strerror(number) in said
        assert "amp/data.eeg" in said
        before = desk.streams["eye"].counts.durable_samples
        await until(desk, lambda stream: stream.counts.durable_samples > before + 100, "eye")
        session = desk.recording.session
        await desk.recording.end()
        await desk.recording.seal()
    assert session
    report = verify(place, full=True)
    assert report.sealed
    assert [problem.partition(" (")[0] for problem in report.problems] == [
        f"amp/: not all was recorded: {place}/amp/data.eeg: {os.strerror(number)}"
    ]
    check(place)


async def test_a_disk_that_fails_at_the_start_refuses_it(tmp_path: Path, fault: Fault) -> None:
    async with desk_of(rig(tmp_path, FAST)) as desk:
        fault(of="amp/data.*", error=errno.EIO)
        with pytest.raises(StreamError, match="stream amp cannot be recorded: .*Input/output"):
            await desk.recording.begin(REF, 10)
        await desk.recording.abandon("START failed")


async def test_a_slow_disk_is_absorbed_by_the_ring(
    tmp_path: Path, place: Path, fault: Fault
) -> None:
    async with desk_of(rig(tmp_path, f"{FAST}, ring: 20")) as desk:
        await desk.recording.begin(REF, 10)
        fault(of="amp/data.eeg", delay_s=0.3)
        await desk.until_received(desk.streams["amp"].report().received + RATE)
        assert words(desk) == []
        await desk.end_and_seal()
    assert check(place) == 0


async def test_what_a_disk_is_too_slow_for_is_counted_and_located_and_said(
    tmp_path: Path, place: Path, fault: Fault
) -> None:
    async with desk_of(rig(tmp_path, f"{FAST}, ring: 0.2")) as desk:
        await desk.recording.begin(REF, 10)
        fault(of="amp/data.eeg", delay_s=0.7)
        await until(desk, lambda stream: stream.counts.missing_samples > 0)
        assert any("the disk is too slow" in text for text in words(desk))
        await desk.end_and_seal()
        counts = desk.streams["amp"].counts
    assert counts.overruns > 0
    assert check(place) == counts.missing_samples > 0


def check(place: Path) -> int:
    """Check every append against the signal that the device shows; return how many are missing."""
    stream = open_stream(place / "amp")
    first = int(stream.index[0]["counter"]) * POINTS
    missing = 0
    for record in stream.index:
        begin, count = int(record["first"]), int(record["count"])
        if BlockFlags(int(record["flags"])) & BlockFlags.FILLED:
            missing += count
            continue
        number = int(record["counter"]) * POINTS
        assert number == first + begin  # sample index stays time
        np.testing.assert_array_equal(
            stream.samples[begin : begin + count],
            SyntheticSource(LAYOUT, Wave()).read(number, count),
        )
    assert missing == sum(gap.filled + gap.missing for gap in stream.gaps)
    return missing
