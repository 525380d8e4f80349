"""A rig whose file asks for small parts: its window and its way over a crash, through many."""

import time
from pathlib import Path

import numpy as np
import pytest

from rigctl.recording import layout
from rigctl.recording.recover import recover
from tests.daemon import test_recording
from tests.daemon.test_recording import REF, RIG, amp, desk_of

place = test_recording.place

PART = 50
"""How many samples fit into one."""


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.yaml"
    path.write_text(RIG + f"roll: {{size: {PART * 8}, time: 1h}}\n")
    return path


def check(place: Path) -> int:
    """Check that no part is too large and none is missing; return how many there are."""
    stream = amp(place)
    sizes = layout.data_sizes(place / "amp")
    for part in stream.index["part"]:
        counts = stream.index["count"][stream.index["part"] == part]
        assert counts.sum() <= PART or len(counts) == 1  # one append may be larger than a part
    assert sum(sizes.values()) == len(stream.samples) * stream.header.frame_bytes
    parts = np.unique(stream.index["part"]).tolist()
    assert parts == list(range(1, len(sizes) + 1))
    return len(parts)


async def test_a_window_that_ended_in_an_earlier_part_takes_the_later_ones_away(
    rig_file: Path, place: Path
) -> None:
    async with desk_of(rig_file) as desk:
        await desk.until_received(200)
        start_s = time.monotonic() - 0.2
        await desk.recording.begin(REF, 10, start_s)
        await desk.until_samples(900)
        record = await desk.end_and_seal(start_s + 0.4204)
    assert abs(len(amp(place).samples) - 420) <= 5
    assert check(place) >= 2
    later = amp(place).index[1:]  # the first append may begin within a block
    assert len(np.unique(later["first"].astype(int) - 10 * later["counter"].astype(int))) == 1
    assert amp(place).gaps == []
    assert record.state == "STOPPED"


async def test_a_session_in_parts_goes_on_after_a_crash(rig_file: Path, place: Path) -> None:
    async with desk_of(rig_file) as desk:
        await desk.recording.begin(REF, 10)
        await desk.until_samples(230)
        await desk.crash()
    assert recover(place).streams["amp"].samples >= 230
    before = len(amp(place).samples)
    async with desk_of(rig_file) as desk:
        await desk.recording.resume(place, time.time())
        await desk.until_samples(before + 200)
        await desk.end_and_seal()
    stream = amp(place)
    assert len(stream.samples) >= before + 200
    assert [gap.position for gap in stream.gaps] == [before]
    assert check(place) >= 4
